import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HeaderSectionChecker } from '../../../../functions/smtp-ingress/intake/header-section-checker.ts'

const maxHeaderOctets = 262_144

/** The Message-ID that the checker reads from a message in these pieces. */
function messageIdOf(pieces: readonly Buffer[]): string | undefined {
  const section = new HeaderSectionChecker(maxHeaderOctets)
  for (const piece of pieces) assert.equal(section.read(piece), null)
  return section.messageId
}

const octetByOctet = (message: Buffer) => Array.from(message, (octet) => Buffer.of(octet))

const rows: [name: string, message: string | Buffer, messageId: string | undefined][] = [
  ['no such field', 'Subject: x\r\n\r\nMessage-ID: <text@a.example>\r\n', undefined],
  ['the field first', 'Message-ID: <1@a.example>\r\nSubject: x\r\n\r\n', '<1@a.example>'],
  ['the field last', 'Subject: x\r\nMessage-ID: <1@a.example>\r\n\r\ntext\r\n', '<1@a.example>'],
  ['any letter case', 'mEsSaGe-Id:<1@a.example>\r\n\r\n', '<1@a.example>'],
  ['spaces before the colon', 'Message-ID \t :  <1@a.example> \t\r\n\r\n', '<1@a.example>'],
  ['a field that starts on the next line', 'Message-ID:\r\n <1@a.example>\r\nTo: b\r\n\r\n', '<1@a.example>'],
  ['a folded field', 'Message-ID: <1@\r\n\ta.example>\r\n (x)\r\nTo: b\r\n\r\n', '<1@ a.example> (x)'],
  ['two fields, of which the first counts', 'Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n\r\n', '<1@a>'],
  ['an empty field before another', 'Message-ID:\r\nMessage-ID: <2@a>\r\n\r\n', undefined],
  ['other names', 'X-Message-ID: <1@a>\r\nMessage-ID-X: <2@a>\r\nMessage-IDs: x\r\n\r\n', undefined],
  ['the name in a folded line', 'Subject: x\r\n Message-ID: <1@a>\r\n\r\n', undefined],
  ['no empty line', 'Message-ID: <1@a>\r\n', '<1@a>'],
  ['no line end', 'Message-ID: <1@a>', '<1@a>'],
  ['odd syntax', 'Message-ID: 1@a (comment) "quoted"\r\n\r\n', '1@a (comment) "quoted"'],
  ['UTF-8', 'Message-ID: <ä@straße.example>\r\n\r\n', '<ä@straße.example>'],
  ['octets that are not UTF-8', Buffer.from('Message-ID: <\xe4@a>\r\n\r\n', 'latin1'), '<\ufffd@a>'],
  ['invisible characters', 'Message-ID: <\x00\x1b[1m1\u202e\u200b@a>\r\n\r\n', '<[1m1@a>'],
  ['998 octets', `Message-ID: ${'x'.repeat(998)}\r\n\r\n`, 'x'.repeat(998)],
  ['999 octets', `Message-ID: ${'x'.repeat(999)}\r\nTo: b\r\n\r\n`, undefined],
  ['500 characters of 1000 octets', `Message-ID: ${'ä'.repeat(500)}\r\n\r\n`, undefined],
  ['64 KiB in folded lines', `Message-ID: <1@a>\r\n${` ${'x'.repeat(900)}\r\n`.repeat(71)}\r\n`, undefined],
  ['only white space', 'Message-ID: \r\n \t\r\n\r\n', undefined],
]

for (const [name, message, messageId] of rows)
  test(`the Message-ID of a header section with ${name} is ${messageId === undefined ? 'absent' : 'read'}, in any two pieces and octet by octet`, () => {
    const octets = Buffer.from(message)
    assert.equal(messageIdOf([octets]), messageId)
    assert.equal(messageIdOf(octetByOctet(octets)), messageId)
    const step = Math.max(1, Math.floor(octets.length / 2000))
    for (let cut = 0; cut < octets.length; cut += step)
      assert.equal(messageIdOf([octets.subarray(0, cut), octets.subarray(cut)]), messageId)
  })

test('ten thousand fields Message-ID cost no memory, and the first counts', () => {
  const fields = Array.from({ length: 10_000 }, (_, number) => `Message-ID: <${number}@a>\r\n`).join('')
  assert.equal(messageIdOf([Buffer.from(`${fields}\r\n`)]), '<0@a>')
})

/** Applies RFC 5322 §2.2.3 to the whole message in one piece. */
function expectedMessageId(message: string): string | undefined {
  const [section = ''] = `\r\n${message}`.split('\r\n\r\n', 1)
  const field = section
    .replaceAll(/\r\n(?=[ \t])/g, '')
    .split('\r\n')
    .find((line) => /^message-id[ \t]*:/i.test(line))
  return field?.slice(field.indexOf(':') + 1).trim() || undefined
}

test('the same Message-ID is read however a message is split', () => {
  const line = fc.constantFrom(
    'Message-ID: <1@a>',
    'message-id :<2@a>',
    'Message-ID',
    'Message-ID ',
    ' <3@a>',
    '\t',
    'Received: x',
    'To: Message-ID: <4@a>',
    '',
  )
  const message = fc
    .array(line, { maxLength: 8 })
    .map((lines) => lines.map((text) => `${text}\r\n`).join(''))
    // Folding of the field's name is not RFC 5322, and the ingress does not read such a field.
    .filter((text) => !/message-id[ \t]*\r\n[ \t]/i.test(text))
    // The ingress puts an empty line before a message that begins with white space.
    .filter((text) => !/^[ \t]/.test(text))
  const cuts = fc.array(fc.nat(200), { maxLength: 10 })
  fc.assert(
    fc.property(message, cuts, (message, cuts) => {
      const octets = Buffer.from(message)
      const edges = [0, ...cuts.filter((cut) => cut < octets.length).sort((a, b) => a - b), octets.length]
      const pieces = edges.slice(1).map((edge, index) => octets.subarray(edges[index], edge))
      assert.equal(messageIdOf(pieces), expectedMessageId(message)?.replaceAll('\t', ' '))
    }),
    { numRuns: 500 },
  )
})
