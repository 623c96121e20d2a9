/** Scripts that are always played: known attacks, and scripts that once found a bug. */

const open = ['EHLO client.example\r\n', 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n']

export const knownScripts: readonly string[][] = [
  // SMTP smuggling.
  ...['\n.\n', '\n.\r\n', '\r\n.\n', '\r\n.\r', '\r.\r', '\r\n\0.\r\n', '\r\n.\0\r\n', '\r\r\n.\r\n'].map(
    (ending) => [
      ...open,
      'DATA\r\n',
      `text${ending}MAIL FROM:<admin@ours.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\nsmuggled\r\n.\r\n`,
      'QUIT\r\n',
    ],
  ),
  // Commands in the clear that would take effect after the handshake (CVE-2011-0411).
  ['EHLO client.example\r\n', 'STARTTLS\r\nRSET\r\nMAIL FROM:<a@elsewhere.example>\r\n', ...open, 'QUIT\r\n'],
  ['EHLO client.example\r\nSTARTTLS\r\nEHLO x\r\n', 'MAIL FROM:<a@elsewhere.example>\r\n'],
  // A message sent without waiting for 354, and the same with waiting.
  [...open, 'DATA\r\ntext\r\n.\r\nQUIT\r\n'],
  [...open, 'DATA\r\n', 'text\r\n.\r\nQUIT\r\n'],
  // A message sent after its transaction was refused.
  [
    'EHLO client.example\r\n',
    'MAIL FROM:<never@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n',
    'DATA\r\n',
    'text\r\n.\r\n',
  ],
  // An invalid handshake, sent without waiting for the reply to STARTTLS.
  ['EHLO client.example\r\n', 'STARTT', 'LS\r\n', '\x16\x03\x01\x00\x05hello\r\n'],
  // A handshake without STARTTLS, short and long.
  ['\x16\x03\x01'],
  [`\x16${'y'.repeat(4095)}`],
  // A message that is cut off, as the last allowed error.
  [...open, 'DATA\r\n', `NOOP ${'y'.repeat(4085)}\r\n`],
]
