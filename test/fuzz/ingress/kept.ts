/** Scripts that are always played: attacks that have a name, and what once went wrong. */

const open = ['EHLO client.example\r\n', 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n']

export const keptScripts: readonly string[][] = [
  // SMTP smuggling.
  ...['\n.\n', '\n.\r\n', '\r\n.\n', '\r\n.\r', '\r.\r', '\r\n\0.\r\n', '\r\n.\0\r\n', '\r\r\n.\r\n'].map(
    (ending) => [
      ...open,
      'DATA\r\n',
      `text${ending}MAIL FROM:<admin@ours.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\nsmuggled\r\n.\r\n`,
      'QUIT\r\n',
    ],
  ),
  // Commands in the clear that would count behind the handshake (CVE-2011-0411).
  ['EHLO client.example\r\n', 'STARTTLS\r\nRSET\r\nMAIL FROM:<a@elsewhere.example>\r\n', ...open, 'QUIT\r\n'],
  ['EHLO client.example\r\nSTARTTLS\r\nEHLO x\r\n', 'MAIL FROM:<a@elsewhere.example>\r\n'],
  // A message that nobody agreed to take, and the same with 354 awaited.
  [...open, 'DATA\r\ntext\r\n.\r\nQUIT\r\n'],
  [...open, 'DATA\r\n', 'text\r\n.\r\nQUIT\r\n'],
  // A refused transaction whose message comes all the same.
  [
    'EHLO client.example\r\n',
    'MAIL FROM:<never@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n',
    'DATA\r\n',
    'text\r\n.\r\n',
  ],
  // The beginning of a handshake that is none, sent without waiting for the reply to STARTTLS.
  ['EHLO client.example\r\n', 'STARTT', 'LS\r\n', '\x16\x03\x01\x00\x05hello\r\n'],
  // A handshake without STARTTLS, short and long.
  ['\x16\x03\x01'],
  [`\x16${'y'.repeat(4095)}`],
  // A message that is cut, as the last of the errors that a session may make.
  [...open, 'DATA\r\n', `NOOP ${'y'.repeat(4085)}\r\n`],
]
