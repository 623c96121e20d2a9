import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EnvelopeSyntax } from '../../../../functions/smtp-ingress/protocol/path.ts'
import { parseAccepted, printable, replyTo } from '../../../support/ingress/lines.ts'

const local = (octets: number) => 'a'.repeat(octets)
/** A domain of this many octets. */
const domain = (octets: number) => `${'d'.repeat(63)}.`.repeat(4).slice(0, octets - 2) + '.e'.slice(-2)

describe('a path', () => {
  /** Paths that are valid for senders and recipients, and their addresses with the domain in A-labels. */
  const acceptedPaths: [path: string, address: string, needsSmtpUtf8?: true][] = [
    ['<a@b.example>', 'a@b.example'],
    ['<A.B@B.Example>', 'A.B@B.Example'],
    ['<a@localhost>', 'a@localhost'],
    ["<!#$%&'*+-/=?^_`{|}~@b.example>", "!#$%&'*+-/=?^_`{|}~@b.example"],
    ['<a@my_host.b.example>', 'a@my_host.b.example'],
    ['<a@b--c.example>', 'a@b--c.example'],
    ['<a@127.example>', 'a@127.example'],
    ['<a@xn--mller-kva.example>', 'a@xn--mller-kva.example'],
    [`<${local(190)}@${domain(63)}>`, `${local(190)}@${domain(63)}`],
    [`<${local(64)}@b.example>`, `${local(64)}@b.example`],
    [`<a@${'b'.repeat(63)}.example>`, `a@${'b'.repeat(63)}.example`],
    ['<"a"@b.example>', '"a"@b.example'],
    ['<""@b.example>', '""@b.example'],
    ['<"a b"@b.example>', '"a b"@b.example'],
    ['<"a@b"@b.example>', '"a@b"@b.example'],
    ['<"a>b"@b.example>', '"a>b"@b.example'],
    ['<"> SIZE=1"@b.example>', '"> SIZE=1"@b.example'],
    ['<".."@b.example>', '".."@b.example'],
    [String.raw`<"a\"b\\"@b.example>`, String.raw`"a\"b\\"@b.example`],
    ['<a@[192.0.2.1]>', 'a@[192.0.2.1]'],
    ['<a@[IPv6:2001:db8::1]>', 'a@[IPv6:2001:db8::1]'],
    ['<a@[ipv6:::ffff:192.0.2.1]>', 'a@[ipv6:::ffff:192.0.2.1]'],
    [
      '<a@[IPv6:2001:0db8:0000:0000:0000:0000:255.255.255.255]>',
      'a@[IPv6:2001:0db8:0000:0000:0000:0000:255.255.255.255]',
    ],
    ['<@relay.example:a@b.example>', 'a@b.example'],
    ['<@one.example,@two.example:a@b.example>', 'a@b.example'],
    ['<@one.example:"a:b"@b.example>', '"a:b"@b.example'],
    ['<a@müller.example>', 'a@xn--mller-kva.example'],
    ['<a@MÜLLER.Example>', 'a@xn--mller-kva.example'],
    ['<a@b。example>', 'a@b.example'],
    // An invalid domain is refused later, as the client wrote it.
    ['<a@１２７.1>', 'a@１２７.1'],
    ['<a@127.1>', 'a@127.1'],
    [`<a@${'é'.repeat(70)}.example>`, `a@${'é'.repeat(70)}.example`],
    ['<jörg@b.example>', 'jörg@b.example', true],
    ['<"j ö"@b.example>', '"j ö"@b.example', true],
    ['<用户@例子.example>', '用户@xn--fsqu00a.example', true],
    ['<😀@b.example>', '😀@b.example', true],
    ['<𠮷野@b.example>', '𠮷野@b.example', true],
    // Joiners in their contexts: RFC 5892 Appendix A.1 (after a virama, and between joining letters) and A.2.
    ['<a@نامه\u200cای.example>', 'a@xn--mgba3gch31f060k.example'],
    ['<a@ශ්\u200dරී.example>', 'a@xn--10cl1a0b660p.example'],
  ]
  for (const [path, address, needsSmtpUtf8 = false] of acceptedPaths) {
    it(`${path.slice(0, 70)} is a valid recipient`, () =>
      assert.deepEqual(parseAccepted(`RCPT TO:${path}`), {
        verb: 'RCPT',
        recipient: { address, notify: null, orcpt: null },
        needsSmtpUtf8,
      }))

    it(`${path.slice(0, 70)} is a valid sender`, () => {
      const command = parseAccepted(`MAIL FROM:${path} SMTPUTF8`)
      assert.equal('envelope' in command && command.envelope.mailFrom, address)
      if (needsSmtpUtf8) assert.equal(replyTo(`MAIL FROM:${path}`), '550 5.6.7 Address needs SMTPUTF8')
      else
        assert.deepEqual(parseAccepted(`MAIL FROM:${path}`), {
          ...command,
          envelope: { ...envelope, mailFrom: address },
        })
    })
  }

  const envelope = {
    smtpUtf8: false,
    eightBitMime: false,
    requireTls: false,
    dsn: { ret: null, envid: null },
  }

  it('of a sender may be <>', () =>
    assert.deepEqual(parseAccepted('MAIL FROM:<>'), {
      verb: 'MAIL',
      envelope: { ...envelope, mailFrom: '' },
      size: 0,
    }))

  for (const name of ['postmaster', 'Postmaster', 'POSTMASTER'])
    it(`of a recipient may be <${name}>, without a domain`, () => {
      const command = parseAccepted(`RCPT TO:<${name}>`)
      assert.equal('recipient' in command && command.recipient.address, name)
    })

  for (const line of [
    'MAIL FROM: <a@b.example>',
    'MAIL FROM:   <a@b.example>',
    'mail from:<a@b.example>',
    'Mail From:<a@b.example>  ',
  ])
    it(`is found in the line ${JSON.stringify(line)}`, () => {
      const command = parseAccepted(line)
      assert.equal('envelope' in command && command.envelope.mailFrom, 'a@b.example')
    })

  const badSender = '501 5.1.7 Bad sender address syntax'
  const badRecipient = '501 5.1.3 Bad recipient address syntax'
  const refusedPaths = [
    '',
    ' ',
    '<',
    '>',
    '<<>>',
    '< >',
    'a@b.example>',
    '<a@b.example',
    '<<a@b.example>>',
    '< a@b.example>',
    '<a@b.example >',
    '<a @b.example>',
    '<a@b.example>SIZE=1',
    '<a@b.example>,<c@b.example>',
    '<>x',
    '<a>',
    '<@>',
    '<a@>',
    '<@b.example>',
    '<a@b@c.example>',
    '<.a@b.example>',
    '<a.@b.example>',
    '<a..b@b.example>',
    '<a,b@b.example>',
    '<a:b@b.example>',
    '<a;b@b.example>',
    '<a(b)@b.example>',
    '<a[b]@b.example>',
    String.raw`<a\b@b.example>`,
    '<a"b@b.example>',
    '<a"b"@b.example>',
    '<"a"b@b.example>',
    '<"a".b@b.example>',
    '<"a@b.example>',
    String.raw`<"a\"@b.example>`,
    '<"a\\',
    '<"a\\ö"@b.example>',
    '<"a"@"b">',
    '<a@.b.example>',
    '<a@b.example.>',
    '<a@b..example>',
    '<a@-b.example>',
    '<a@b-.example>',
    '<a@b.-example>',
    '<a@b.example->',
    '<a@b,c>',
    '<a@b/c>',
    '<a@b.example/é>',
    '<a@b%c>',
    '<a@b:25>',
    `<a@${'b'.repeat(64)}.example>`,
    `<a@é.${'b'.repeat(64)}.example>`,
    '<a@[]>',
    '<a@[192.0.2.1>',
    '<a@192.0.2.1]>',
    '<a@[192.0.2.256]>',
    '<a@[192.0.2]>',
    '<a@[192.0.2.1].example>',
    '<a@[2001:db8::1]>',
    '<a@[IPv6:192.0.2.1]>',
    '<a@[IPv6:2001:db8::g]>',
    '<a@[IPv6:fe80::1%eth0]>',
    '<a@[x400:c=us]>',
    '<a@[b.example]>',
    '<@a.example>',
    '<@a.example:>',
    '<@a.example,b.example:c@b.example>',
    '<@a.example,:c@b.example>',
    '<@:c@b.example>',
    '<@-a.example:c@b.example>',
    '<@a.example;@b.example:c@b.example>',
    '<@a.example;c@b.example>',
    '<@a.example:@b.example:c@b.example>',
    '<@a.example:postmaster@>',
    '<"postmaster">',
  ]
  for (const path of refusedPaths)
    it(`cannot be ${printable(path)}`, () => {
      assert.equal(replyTo(`MAIL FROM:${path} SMTPUTF8`), badSender)
      assert.equal(replyTo(`RCPT TO:${path}`), badRecipient)
    })

  const invisibleInSender = '501 5.1.7 Sender address has an invisible character'
  const invisibleInRecipient = '501 5.1.3 Recipient address has an invisible character'
  const invisiblePaths = [
    '<a\u00a0b@b.example>',
    '<a\u200b@b.example>',
    '<a\u2060@b.example>',
    '<a\u2028b@b.example>',
    '<a\u202eb@b.example>',
    '<a\u2066b@b.example>',
    '<a\ufeff@b.example>',
    '<a@b\u3000c.example>',
    '<a\u00adb@b.example>',
    '<"a\u00adb"@b.example>',
    '<a\u2062b@b.example>',
    '<\u3164@b.example>',
    '<a\uffa0b@b.example>',
    '<a\u115fb@b.example>',
    '<a\u034fb@b.example>',
    '<a\u180bb@b.example>',
    '<\u2764\ufe0f@b.example>',
    '<a\u{e0061}@b.example>',
    '<a\u{e0101}@b.example>',
    '<a\u0378b@b.example>',
    '<a\ue000b@b.example>',
    '<a\ufdd0b@b.example>',
    '<a\u{10ffff}b@b.example>',
    '<a\u2800b@b.example>',
    '<a\u200db@b.example>',
    '<\u0646\u0627\u0645\u0647\u200c\u0627\u06cc@b.example>',
    // normaliseDomain would drop these characters, so the address would reach another domain than it shows.
    '<a@b\u00adc.example>',
    '<a@b\u2062c.example>',
    '<a@b\u3164c.example>',
    '<a@b\ufe0fc.example>',
    '<a@b\u200bc.example>',
    // A joiner without the context of RFC 5892 Appendix A.
    '<a@b\u200dc.example>',
    '<a@b\u200cc.example>',
    '<a@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc\u00ad.example>',
  ]
  for (const path of invisiblePaths)
    it(`cannot have the invisible character in ${printable(path)}`, () => {
      assert.equal(replyTo(`MAIL FROM:${path} SMTPUTF8`), invisibleInSender)
      assert.equal(replyTo(`RCPT TO:${path}`), invisibleInRecipient)
    })

  it('of a recipient cannot be <>', () => assert.equal(replyTo('RCPT TO:<>'), badRecipient))
  it('of a sender cannot be <postmaster>', () => assert.equal(replyTo('MAIL FROM:<postmaster>'), badSender))

  const tooLong: string[] = [
    `<${local(191)}@${domain(63)}>`,
    `<${'é'.repeat(123)}@b.example>`,
    `<a@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.${'e'.repeat(63)}>`,
    // Longer as A-labels than as written.
    `<${local(236)}@${'ü'.repeat(4)}.example>`,
    `<"${'a'.repeat(60_000)}"@b.example>`,
  ]
  for (const path of tooLong)
    it(`of ${Buffer.byteLength(path)} octets, with an address above 254 octets in A-labels, is too long: ${path.slice(0, 10)}…`, () => {
      assert.equal(replyTo(`MAIL FROM:${path} SMTPUTF8`), '501 5.1.7 Address exceeds 254 octets')
      assert.equal(replyTo(`RCPT TO:${path}`), '501 5.1.3 Address exceeds 254 octets')
    })

  const envelopeOf = (line: string, syntax: EnvelopeSyntax) => {
    const command = parseAccepted(line, syntax)
    return 'envelope' in command
      ? [command.envelope, command.size]
      : 'recipient' in command && command.recipient
  }

  /** Each path with spaces or without brackets, and the same in the syntax of RFC 5321. */
  const lenientPaths: [path: string, strictPath: string][] = [
    [' <a@b.example>', '<a@b.example>'],
    ['   <a@b.example>', '<a@b.example>'],
    ['a@b.example', '<a@b.example>'],
    [' a@b.example', '<a@b.example>'],
    ['a@b.example  ', '<a@b.example>'],
    ['a.b+c=d@b.example', '<a.b+c=d@b.example>'],
    ['SIZE=1@b.example', '<SIZE=1@b.example>'],
    [' a@[192.0.2.1]', '<a@[192.0.2.1]>'],
    ['a@[IPv6:2001:db8::1]', '<a@[IPv6:2001:db8::1]>'],
    ['a@müller.example', '<a@xn--mller-kva.example>'],
  ]
  for (const [path, strictPath] of lenientPaths) {
    it(`may be ${printable(path)} with Lenient, and is the same as ${printable(strictPath)}; Strict refuses it`, () => {
      for (const keyword of ['MAIL FROM:', 'rcpt to:'])
        assert.deepEqual(envelopeOf(keyword + path, 'Lenient'), envelopeOf(keyword + strictPath, 'Strict'))
      assert.deepEqual(
        envelopeOf(`MAIL FROM:${path} SIZE=7 ENVID=x`, 'Lenient'),
        envelopeOf(`MAIL FROM:${strictPath} SIZE=7 ENVID=x`, 'Strict'),
      )
      assert.deepEqual(
        envelopeOf(`RCPT TO:${path} NOTIFY=NEVER`, 'Lenient'),
        envelopeOf(`RCPT TO:${strictPath} NOTIFY=NEVER`, 'Strict'),
      )
      assert.equal(replyTo(`MAIL FROM:${path}`, 'Strict'), '501 5.5.4 Syntax: MAIL FROM:<address>')
      assert.equal(replyTo(`RCPT TO:${path}`, 'Strict'), '501 5.5.4 Syntax: RCPT TO:<address>')
    })
  }

  it('may be jörg@b.example with Lenient and SMTPUTF8', () => {
    assert.deepEqual(
      envelopeOf('MAIL FROM:jörg@b.example SMTPUTF8', 'Lenient'),
      envelopeOf('MAIL FROM:<jörg@b.example> SMTPUTF8', 'Strict'),
    )
    assert.equal(replyTo('MAIL FROM: jörg@b.example'), '550 5.6.7 Address needs SMTPUTF8')
  })

  it('may be " <>" for a sender with Lenient', () =>
    assert.deepEqual(envelopeOf('MAIL FROM: <>', 'Lenient'), envelopeOf('MAIL FROM:<>', 'Strict')))

  it('may be postmaster without brackets for a recipient with Lenient', () =>
    assert.deepEqual(
      envelopeOf('RCPT TO: postmaster NOTIFY=NEVER', 'Lenient'),
      envelopeOf('RCPT TO:<postmaster> NOTIFY=NEVER', 'Strict'),
    ))

  const unknownParameter = '555 5.5.4 Parameter given is not recognized'
  /** Texts in which two programs may find different addresses. */
  const ambiguousPaths: [path: string, reply: string][] = [
    ['<a@b.example> c@d.example', unknownParameter],
    ['a@b.example c@d.example', unknownParameter],
    ['a@b.example <c@d.example>', unknownParameter],
    ['a@b.example SIZE=1 <c@d.example>', unknownParameter],
    ['a@b.example SIZE', '501 5.5.4 SIZE parameter requires a value'],
    ['a@b.example>', badSender],
    ['a@b.example> SIZE=1', badSender],
    ['<a@b.example', badSender],
    ['<a@b.example SIZE=1', badSender],
    ['a b@c.example', badSender],
    ['a @b.example', badSender],
    ['a@ b.example', badSender],
    ['a@b.example<c@d.example>', badSender],
    ['<c@d.example>a@b.example', badSender],
    ['Anna <a@b.example>', badSender],
    ['"Anna" <a@b.example>', badSender],
    ['a@b.example,c@d.example', badSender],
    ['a@b.example;c@d.example', badSender],
    ['a@b.example:25', badSender],
    ['a@b.example(c)', badSender],
    ['(c)a@b.example', badSender],
    ['a@b.example.', badSender],
    ['a@b@c.example', badSender],
    ['@relay.example:a@b.example', badSender],
    ['"a"@b.example', badSender],
    ['"a b"@c.example', badSender],
    ['"a@b.example SIZE=1"@c.example', badSender],
    ['a\\@b.example', badSender],
    ['SIZE=1', badSender],
    ['SIZE=1 a@b.example', badSender],
    ['a', badSender],
    ['', badSender],
    ['  ', badSender],
  ]
  for (const [path, reply] of ambiguousPaths)
    it(`cannot be ${printable(path)} with Lenient`, () => {
      for (const spaces of ['', ' ']) assert.equal(replyTo(`MAIL FROM:${spaces}${path}`), reply)
    })

  it('without brackets cannot have an invisible character', () =>
    assert.equal(replyTo('RCPT TO:a\u200b@b.example'), invisibleInRecipient))

  const otherLines: [line: string, reply: string][] = [
    ['MAIL', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL ', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL <a@b.example>', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL FROM', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL FROM <a@b.example>', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL FROM :<a@b.example>', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL  FROM:<a@b.example>', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['MAIL TO:<a@b.example>', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['RCPT', '501 5.5.4 Syntax: RCPT TO:<address>'],
    ['RCPT FROM:<a@b.example>', '501 5.5.4 Syntax: RCPT TO:<address>'],
    ['RCPT TO <a@b.example>', '501 5.5.4 Syntax: RCPT TO:<address>'],
    ['RCPT\u00a0TO:<a@b.example>', '500 5.5.2 Command not recognized'],
  ]
  for (const [line, reply] of otherLines)
    it(`is not found in the line ${printable(line)}`, () => assert.equal(replyTo(line), reply))
})
