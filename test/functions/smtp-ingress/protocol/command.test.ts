import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseCommand } from '../../../../functions/smtp-ingress/protocol/command.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { parseAccepted, printable, replyTo } from '../../../support/ingress/lines.ts'

describe('a command line', () => {
  const acceptedLines: [line: string, command: object][] = [
    ['EHLO client.example', { verb: 'EHLO', name: 'client.example' }],
    ['ehlo client.example', { verb: 'EHLO', name: 'client.example' }],
    ['eHlO Client.Example', { verb: 'EHLO', name: 'Client.Example' }],
    ['HELO client', { verb: 'HELO', name: 'client' }],
    ['EHLO client.example   ', { verb: 'EHLO', name: 'client.example' }],
    ['EHLO [192.0.2.1]', { verb: 'EHLO', name: '[192.0.2.1]' }],
    ['EHLO [IPv6:2001:db8::1]', { verb: 'EHLO', name: '[IPv6:2001:db8::1]' }],
    ['EHLO 192.0.2.1', { verb: 'EHLO', name: '192.0.2.1' }],
    ['EHLO my_host', { verb: 'EHLO', name: 'my_host' }],
    ['EHLO (none)', { verb: 'EHLO', name: '(none)' }],
    ['EHLO müller.example', { verb: 'EHLO', name: 'müller.example' }],
    [`EHLO ${'a'.repeat(255)}`, { verb: 'EHLO', name: 'a'.repeat(255) }],
    ['DATA', { verb: 'DATA' }],
    ['data', { verb: 'DATA' }],
    ['DATA ', { verb: 'DATA' }],
    ['RSET', { verb: 'RSET' }],
    ['rset   ', { verb: 'RSET' }],
    ['QUIT', { verb: 'QUIT' }],
    ['StartTLS', { verb: 'STARTTLS' }],
    ['STARTTLS ', { verb: 'STARTTLS' }],
    ['NOOP', { verb: 'NOOP' }],
    ['NOOP are you there?', { verb: 'NOOP' }],
    ['NOOP  \u00e9', { verb: 'NOOP' }],
    ['VRFY', { verb: 'VRFY' }],
    ['VRFY b@ours.example', { verb: 'VRFY' }],
    ['HELP', { verb: 'HELP' }],
    ['HELP MAIL', { verb: 'HELP' }],
    ['GET / HTTP/1.1', { verb: 'HTTP' }],
    ['POST /x HTTP/1.1', { verb: 'HTTP' }],
    ['HEAD / HTTP/1.0', { verb: 'HTTP' }],
    ['PUT / HTTP/1.1', { verb: 'HTTP' }],
    ['DELETE / HTTP/1.1', { verb: 'HTTP' }],
    ['OPTIONS * HTTP/1.1', { verb: 'HTTP' }],
    ['CONNECT ours.example:25 HTTP/1.1', { verb: 'HTTP' }],
    ['PATCH / HTTP/1.1', { verb: 'HTTP' }],
    ['TRACE / HTTP/1.1', { verb: 'HTTP' }],
    ['PRI * HTTP/2.0', { verb: 'HTTP' }],
    ['GET /\t', { verb: 'HTTP' }],
    ['\x16\x03\x01\x02', { verb: 'TLS' }],
    ['\x16\x03', { verb: 'TLS' }],
  ]
  for (const [line, command] of acceptedLines)
    it(`${printable(line)} is parsed as ${JSON.stringify(command).slice(0, 60)}`, () =>
      assert.deepEqual(parseAccepted(line), command))

  const unknown = '500 5.5.2 Command not recognized'
  const refusedLines: [line: string, reply: string][] = [
    ['', unknown],
    [' ', unknown],
    [' QUIT', unknown],
    ['QUIT:', unknown],
    ['QUITS', unknown],
    ['GET', unknown],
    ['GETTING /', unknown],
    ['EHLOclient', unknown],
    ['LHLO client.example', unknown],
    ['ETRN ours.example', unknown],
    ['TURN', unknown],
    ['SEND FROM:<a@b.example>', unknown],
    ['SAML FROM:<a@b.example>', unknown],
    ['SOML FROM:<a@b.example>', unknown],
    ['XCLIENT ADDR=192.0.2.1', unknown],
    ['XFORWARD ADDR=192.0.2.1', unknown],
    ['STARTTLSX', unknown],
    ['CONSTRUCTOR', unknown],
    ['__proto__', unknown],
    ['MÄIL FROM:<a@b.example>', unknown],
    // Letters whose capitals are ASCII.
    ['quıt', unknown],
    ['rſet', unknown],
    ['ſtarttls', unknown],
    ['\x16', '500 5.5.2 Command contains a control character'],
    ['\x16\x02', '500 5.5.2 Command contains a control character'],
    ['AUTH PLAIN AGEAYg==', '502 5.5.1 Command not implemented'],
    ['auth', '502 5.5.1 Command not implemented'],
    ['EXPN staff', '502 5.5.1 Command not implemented'],
    ['DATA now', '501 5.5.4 Syntax: DATA'],
    ['RSET all', '501 5.5.4 Syntax: RSET'],
    ['quit now', '501 5.5.4 Syntax: QUIT'],
    ['STARTTLS now', '501 5.5.4 Syntax: STARTTLS'],
    ['DATA \u00e9', '501 5.5.4 Syntax: DATA'],
    ['EHLO', '501 5.5.4 Syntax: EHLO hostname'],
    ['EHLO   ', '501 5.5.4 Syntax: EHLO hostname'],
    ['helo', '501 5.5.4 Syntax: HELO hostname'],
    ['EHLO two words', '501 5.5.4 Bad hostname syntax'],
    [`EHLO ${'a'.repeat(256)}`, '501 5.5.4 Bad hostname syntax'],
    [`EHLO ${'\u00e9'.repeat(128)}`, '501 5.5.4 Bad hostname syntax'],
    ['EHLO a\u00a0b', '501 5.5.4 Bad hostname syntax'],
    ['EHLO a\u202eb', '501 5.5.4 Bad hostname syntax'],
    ['EHLO a\u00adb', '501 5.5.4 Bad hostname syntax'],
    ['EHLO\tclient.example', '500 5.5.2 Command contains a TAB'],
    ['NOOP\0', '500 5.5.2 Command contains a NUL'],
    ['QUIT\r', '500 5.5.2 Command contains a bare CR'],
    ['RSET\nQUIT', '500 5.5.2 Command contains a bare LF'],
    ['MAIL FROM:<a@b.example>\nRCPT TO:<b@ours.example>', '500 5.5.2 Command contains a bare LF'],
    ['RCPT TO:<b@ours.example\0>', '500 5.5.2 Command contains a NUL'],
    ['RCPT TO:<"a\rb"@ours.example>', '500 5.5.2 Command contains a bare CR'],
    ['HELP\u0007', '500 5.5.2 Command contains a control character'],
    ['VRFY\u007f', '500 5.5.2 Command contains a control character'],
    ['VRFY \u0085', '500 5.5.2 Command contains a control character'],
    ['VRFY \u009b31m', '500 5.5.2 Command contains a control character'],
    ['X\u0001\r', '500 5.5.2 Command contains a control character'],
  ]
  for (const [line, reply] of refusedLines)
    it(`${printable(line)} gets ${reply}`, () => assert.equal(replyTo(line), reply))

  const garbledLines: [description: string, octets: string, reply: string][] = [
    ['a verb that is not UTF-8', 'QU\xc3T', unknown],
    ['a host name that is not UTF-8', 'EHLO m\xfcller.example', '501 5.5.4 Bad hostname syntax'],
    [
      'a sender that is not UTF-8',
      'MAIL FROM:<m\xfcller@b.example>',
      '501 5.1.7 Sender address is not UTF-8',
    ],
    [
      'a recipient that is not UTF-8',
      'RCPT TO:<m\xfcller@b.example>',
      '501 5.1.3 Recipient address is not UTF-8',
    ],
    [
      'a sender that ends within a UTF-8 character',
      'MAIL FROM:<a\xc3>',
      '501 5.1.7 Bad sender address syntax',
    ],
    [
      'a sender with an overlong UTF-8 sequence',
      'MAIL FROM:<a\xc0\xafb@c.example>',
      '501 5.1.7 Sender address is not UTF-8',
    ],
    [
      'a sender with half a surrogate pair',
      'MAIL FROM:<a\xed\xa0\x80@c.example>',
      '501 5.1.7 Sender address is not UTF-8',
    ],
    [
      'a parameter that is not UTF-8',
      'MAIL FROM:<a@b.example> ENVID=\xfc',
      '501 5.5.4 Parameters are not UTF-8',
    ],
    [
      'a parameter that is not UTF-8, after a non-ASCII address',
      'MAIL FROM:<\xc3\x9f@b.example> X=\xfc',
      '501 5.5.4 Parameters are not UTF-8',
    ],
    [
      'a parameter of a recipient that is not UTF-8',
      'RCPT TO:<a@b.example> ORCPT=rfc822;\xfc',
      '501 5.5.4 Parameters are not UTF-8',
    ],
  ]
  for (const [description, octets, reply] of garbledLines)
    it(`gets ${reply} when it has ${description}`, () =>
      assert.equal(replyTo(Buffer.from(octets, 'latin1')), reply))

  it('NOOP may contain octets that are not UTF-8', () => {
    assert.deepEqual(parseAccepted(Buffer.from('NOOP \xfc\xff', 'latin1')), { verb: 'NOOP' })
  })

  it('is parsed into a command that does not share memory with the octets of the line', () => {
    const octets = Buffer.from('MAIL FROM:<jörg@b.example> SMTPUTF8')
    const before = Buffer.from(octets)
    const command = parseCommand(octets)
    octets.fill(0x20)
    assert.deepEqual(command, parseCommand(before))
  })
})

const verbs = [
  'MAIL FROM:',
  'RCPT TO:',
  'mail from: ',
  'EHLO ',
  'HELO ',
  'DATA',
  'NOOP ',
  'AUTH ',
  'GET ',
  'STARTTLS',
  '',
]
const pieces = [
  '<',
  '>',
  '@',
  '"',
  '\\',
  ',',
  ':',
  '.',
  ' ',
  '=',
  '+',
  '[',
  ']',
  '-',
  ';',
  '%',
  '\r',
  '\n',
  '\0',
  '\t',
  '<>',
  '<a@b.example>',
  '<@a,@b:c@d>',
  '"a b"',
  '[192.0.2.1]',
  '[IPv6:::1]',
  'é',
  '\u202e',
  '。',
  'xn--',
  'SIZE=',
  'BODY=8BITMIME',
  ' SMTPUTF8',
  ' RET=FULL',
  ' ENVID=',
  ' NOTIFY=',
  'NEVER',
  'SUCCESS,',
  ' ORCPT=',
  'rfc822;',
  'utf-8;',
  '+2B',
  '+0D',
  'REQUIRETLS',
  '20',
  'a',
  'Postmaster',
]

describe('any command line', () => {
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((line) => Buffer.from(line)),
    fc
      .tuple(
        fc.constantFrom(...verbs),
        fc.array(fc.constantFrom(...pieces), { maxLength: 20 }),
        fc.uint8Array({ maxLength: 3 }),
      )
      .map(([verb, parts, tail]) => Buffer.concat([Buffer.from(verb + parts.join('')), Buffer.from(tail)])),
    fc
      .oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 8 }))
      .map((text) => Buffer.from(`MAIL FROM:<${text}@b.example> SMTPUTF8`)),
  )

  it('is parsed as a command, or gets a 5yz reply of one line with a 5.y.z code', () => {
    fc.assert(
      fc.property(octets, (line) => {
        const result = parseCommand(line)
        if ('verb' in result) return
        const text = formatReply(result.reply)
        assert.match(text, /^(5\d\d) 5\.\d\.\d{1,2} [!-~]+( [!-~]+)*$/)
        assert.ok(text.length <= 510)
        assert.match(result.reason, /^[A-Z][A-Za-z0-9]+$/)
      }),
      { numRuns: 2000 },
    )
  })

  it('that is parsed as MAIL or RCPT has an address that can be written as a command with the same result', () => {
    let acceptedCount = 0
    fc.assert(
      fc.property(octets, (line) => {
        const result = parseCommand(line)
        if (!('verb' in result)) return
        if (result.verb === 'MAIL') {
          acceptedCount++
          const { mailFrom, smtpUtf8 } = result.envelope
          assert.match(mailFrom, /^[^\p{C}\p{Default_Ignorable_Code_Point}]*$/u)
          const reparsed = parseAccepted(`MAIL FROM:<${mailFrom}>${smtpUtf8 ? ' SMTPUTF8' : ''}`)
          assert.equal('envelope' in reparsed && reparsed.envelope.mailFrom, mailFrom)
        } else if (result.verb === 'RCPT') {
          acceptedCount++
          const { address, notify, orcpt } = result.recipient
          const reparsed = parseAccepted(
            `RCPT TO:<${address}>${notify ? ` NOTIFY=${notify}` : ''}${orcpt ? ` ORCPT=${orcpt}` : ''}`,
          )
          assert.deepEqual(reparsed, result)
        }
      }),
      { numRuns: 2000 },
    )
    assert.ok(acceptedCount > 20, `${acceptedCount} commands were accepted`)
  })

  const hostileLines: [description: string, line: (count: number) => string][] = [
    ['opening brackets', (count) => `MAIL FROM:${'<'.repeat(count)}`],
    ['parentheses', (count) => `MAIL FROM:<${'('.repeat(count)}@b>`],
    ['escaped quotes', (count) => `MAIL FROM:<"${'\\"'.repeat(count / 2)}`],
    ['backslashes', (count) => `MAIL FROM:<"${'\\'.repeat(count)}"@b>`],
    ['quotes', (count) => `MAIL FROM:<${'"'.repeat(count)}`],
    ['labels', (count) => `MAIL FROM:<a@${'b.'.repeat(count / 2)}`],
    ['hyphens', (count) => `MAIL FROM:<a@b${'-'.repeat(count)}>`],
    ['hops of an incomplete source route', (count) => `RCPT TO:<${'@a,'.repeat(count / 3)}`],
    ['hops of a complete source route', (count) => `RCPT TO:<${'@a,'.repeat(count / 3)}@a:b@c>`],
    ['at signs', (count) => `RCPT TO:<a${'@'.repeat(count)}`],
    ['dots', (count) => `RCPT TO:<a${'.'.repeat(count)}@b>`],
    ['letters in an address', (count) => `RCPT TO:<${'a'.repeat(count)}@b>`],
    ['non-ASCII letters', (count) => `RCPT TO:<a@${'é'.repeat(count / 2)}.example>`],
    ['open address literals', (count) => `RCPT TO:<a@[IPv6:${':'.repeat(count)}]>`],
    ['equal parameters', (count) => `MAIL FROM:<> ${'SIZE=1 '.repeat(count / 7)}`],
    [
      'different parameters',
      (count) => `MAIL FROM:<> ${Array.from({ length: count / 8 }, (_, n) => `X${n}=1`).join(' ')}`,
    ],
    ['spaces before a parameter', (count) => `MAIL FROM:<>${' '.repeat(count)}SIZE=1`],
    ['spaces before the path', (count) => `MAIL FROM:${' '.repeat(count)}`],
    ['equals signs', (count) => `MAIL FROM:<> ENVID${'='.repeat(count)}`],
    ['plus signs', (count) => `RCPT TO:<a@b> ORCPT=rfc822;${'+2B'.repeat(count / 3)}+`],
    ['commas', (count) => `RCPT TO:<a@b> NOTIFY=${'SUCCESS,'.repeat(count / 8)}X`],
    ['digits', (count) => `MAIL FROM:<> SIZE=${'9'.repeat(count)}`],
    ['words in EHLO', (count) => `EHLO ${'a '.repeat(count / 2)}`],
    ['letters before a control', (count) => `NOOP ${'a'.repeat(count)}\0`],
    ['letters in the verb', (count) => 'A'.repeat(count)],
  ]

  /** @returns milliseconds of processor time of this thread in the fastest of several runs */
  function fastestTime(line: Buffer): number {
    let min = Number.POSITIVE_INFINITY
    for (let run = 0; run < 7; run++) {
      const startUsage = process.threadCpuUsage()
      for (let time = 0; time < 4; time++) parseCommand(line)
      const { user, system } = process.threadCpuUsage(startUsage)
      min = Math.min(min, (user + system) / 1000)
    }
    return min
  }

  for (const [description, line] of hostileLines)
    it(`is parsed in linear time: with many ${description}`, () => {
      const [short, long] = [Buffer.from(line(16_384)), Buffer.from(line(131_072))]
      fastestTime(short)
      // Eight times the length takes eight times as long if linear, 64 times if quadratic.
      const bound = Math.max(0.5, fastestTime(short)) * 24
      assert.ok(fastestTime(long) < bound)
    })
})
