import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BounceJob } from '../../../../shared/contract/jobs.ts'
import type { Attempt, Message, Recipient } from '../../../../shared/contract/message.ts'
import { buildDsn, dsnId } from '../../../../shared/mail/dsn/dsn.ts'
import { attempt, message, minutesLater, recipient } from '../../../support/fixtures.ts'
import { readMultipart } from '../../../support/multipart.ts'

const hostname = 'mx.ours.example'
const headers = {
  kind: 'Headers',
  octets: Buffer.from('From: a@ours.example\r\nSubject: Grüße\r\n'),
} as const

const failed: BounceJob = {
  message: message({ mailFrom: 'a@ours.example' }),
  kind: 'failed',
  at: minutesLater(1440).toISOString(),
  recipients: [
    {
      recipient: recipient({
        address: 'b@northwind.example',
        lastAttempt: attempt({ outcome: 'TlsNotMet', policySource: 'Connector' }),
        orcpt: 'rfc822;b@northwind.example',
      }),
      reply: { code: 550, enhanced: '5.7.321', text: 'STARTTLS not offered' },
      explanation: 'Attempt 97 at mx.northwind.example ended with 451 4.7.321 STARTTLS not offered.',
      connector: 'Northwind',
      willRetryUntil: null,
    },
  ],
}

/** Returns the job with another recipient, report or message. */
function changed({
  envelope = {},
  reported = {},
  ...fields
}: {
  envelope?: Partial<Message['envelope']>
  reported?: Partial<Recipient> & { connector?: string | null; reply?: Attempt['reply'] }
} & Partial<Pick<BounceJob, 'kind'>> = {}): BounceJob {
  const { connector, reply, ...recipientFields } = reported
  return {
    ...failed,
    ...fields,
    message: { ...failed.message, envelope: { ...failed.message.envelope, ...envelope } },
    recipients: failed.recipients.map((each) => ({
      ...each,
      reply: reply ?? each.reply,
      connector: connector === undefined ? each.connector : connector,
      recipient: { ...each.recipient, ...recipientFields },
    })),
  }
}

const build = (job: BounceJob, original: Parameters<typeof buildDsn>[2] = headers) =>
  readMultipart(buildDsn(job, hostname, original).octets)
const field = (job: BounceJob, name: string): string[] =>
  [...(build(job).parts[1]?.text ?? '').matchAll(new RegExp(`^${name}: (.*)\\r$`, 'gm'))].map(
    ([, value = '']) => value,
  )

test('a failure DSN has a text with the event, the remedy and the source of the TLS requirement, and a machine-readable part', () => {
  const { id, octets } = buildDsn(failed, hostname, headers)
  assert.equal(
    octets.toString('latin1'),
    [
      'From: Mail Delivery System <postmaster@mx.ours.example>',
      'To: <a@ours.example>',
      'Subject: Undelivered mail returned to sender',
      'Date: Fri, 16 Jan 2026 12:00:00 +0000',
      `Message-ID: <${id}@mx.ours.example>`,
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      `Content-Type: multipart/report; report-type=delivery-status; boundary="=_${id}"`,
      '',
      `--=_${id}`,
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'This is the mail system at mx.ours.example.',
      '',
      'Your message could not be delivered to the recipients below. This system =',
      'will not try again.',
      'The message was received on Thu, 15 Jan 2026 12:00:00 +0000. Its id in this=',
      ' system is 01KF0CVZT0ABCDEFGHJKMNPQRS.',
      '',
      '<b@northwind.example>',
      "  The recipient's mail server does not offer the encryption that this =",
      'message must have.',
      "  The administrator of the recipient's mail server can enable TLS =",
      '(STARTTLS).',
      '  The rule that decided is connector "Northwind"; your mail administrator =',
      'can say more.',
      '  When the problem is solved, you can send the message again.',
      '  Details:',
      '  Attempt 97 at mx.northwind.example ended with 451 4.7.321 STARTTLS not =',
      'offered.',
      '  550 5.7.321 STARTTLS not offered',
      '',
      `--=_${id}`,
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.ours.example',
      'Received-From-MTA: dns; client.example (192.0.2.1)',
      'Arrival-Date: Thu, 15 Jan 2026 12:00:00 +0000',
      '',
      'Original-Recipient: rfc822;b@northwind.example',
      'Final-Recipient: rfc822; b@northwind.example',
      'Action: failed',
      'Status: 5.7.321',
      'Remote-MTA: dns; mx.northwind.example',
      'Diagnostic-Code: smtp; 550 5.7.321 STARTTLS not offered',
      'Last-Attempt-Date: Thu, 15 Jan 2026 12:00:00 +0000',
      '',
      `--=_${id}`,
      'Content-Type: text/rfc822-headers; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'From: a@ours.example',
      'Subject: Gr=C3=BC=C3=9Fe',
      '',
      `--=_${id}--`,
      '',
    ].join('\r\n'),
  )
})

describe('the human-readable part of a DSN', () => {
  const textOf = (job: BounceJob) => build(job).parts[0]?.text ?? ''

  test('about a delay names the connector and the time until which attempts go on, and asks nothing of the sender', () => {
    const until = minutesLater(1440).toISOString()
    const job = changed({ kind: 'delayed' })
    const text = textOf({
      ...job,
      recipients: job.recipients.map((each) => ({ ...each, willRetryUntil: until })),
    })
    assert.match(text, /You need not do anything/)
    assert.match(text, /\r\n {2}The rule that decided is connector "Northwind"; /)
    assert.match(text, /\r\n {2}This system will try until Fri, 16 Jan 2026 12:00:00 \+0000\.\r\n/)
    assert.doesNotMatch(text, /send the message again/)
  })

  const requirements: [source: Attempt['policySource'], pattern: RegExp][] = [
    ['Dane', /By its DNS records \(DANE\), the domain northwind\.example requires verified encryption\./],
    [
      'MtaSts',
      /By its published policy \(MTA-STS\), the domain northwind\.example requires verified encryption\./,
    ],
    ['RequireTls', /You or your mail program required encryption \(REQUIRETLS\)/],
    ['Connector', /connector "Northwind"/],
  ]
  for (const [policySource, pattern] of requirements)
    test(`names the source of the TLS requirement, ${policySource}, and no other source`, () => {
      const lastAttempt = attempt({ outcome: 'TlsNotMet', policySource })
      const text = textOf(changed({ reported: { lastAttempt } }))
      assert.match(text, pattern)
      for (const [otherSource, otherPattern] of requirements)
        if (otherSource !== policySource) assert.doesNotMatch(text, otherPattern)
    })

  test('names the sender as source of the requirement when a next hop lacks REQUIRETLS, even if DANE applied', () => {
    const lastAttempt = attempt({ outcome: 'PermanentFailure', policySource: 'Dane' })
    const reply = { code: 550, enhanced: '5.7.30', text: 'REQUIRETLS is not supported' }
    const text = textOf(changed({ reported: { lastAttempt, reply } }))
    assert.match(text, /You or your mail program required encryption/)
    assert.doesNotMatch(text, /DANE|connector/)
  })

  test("says after an attempt that 5.7.51 is a rule of the recipient's mail system, and without an attempt that it is one of this system", () => {
    const reply = { code: 550, enhanced: '5.7.51', text: 'RestrictDomainsToCertificate' }
    const lastAttempt = attempt({ outcome: 'PermanentFailure', reply })
    assert.match(
      textOf(changed({ reported: { lastAttempt, reply } })),
      /A rule of the recipient's mail system/,
    )
    assert.match(textOf(changed({ reported: { lastAttempt: null, reply } })), /added to this system/)
  })

  test('names no policy for a refusal that is unrelated to TLS', () => {
    const lastAttempt = attempt({ policySource: 'Dane' })
    const reply = { code: 550, enhanced: '5.1.1', text: 'No such user' }
    const text = textOf(changed({ reported: { lastAttempt, reply, connector: null } }))
    assert.match(text, /The mailbox does not exist/)
    assert.doesNotMatch(text, /demands|connector/)
  })

  test('about a message that expired names the failure of the last attempt and its remedy', () => {
    const lastAttempt = attempt({ reply: { code: 451, enhanced: '4.4.316', text: 'Connection refused' } })
    const reply = { code: 451, enhanced: '4.4.7', text: 'Message expired: 451 4.4.316 Connection refused' }
    const text = textOf(changed({ reported: { lastAttempt, reply } }))
    assert.match(
      text,
      /within the time allowed\.\r\n {2}The recipient's mail server refused the connection\.\r\n/,
    )
    assert.match(text, /can check that the server runs/)
    assert.doesNotMatch(text, /can find the last obstacle/)
    const untried = textOf(changed({ reported: { lastAttempt: null, reply } }))
    assert.match(untried, /Your mail administrator can find the last obstacle in the details below/)
  })

  test('about a relayed message says that there will be no further notice', () => {
    const reply = { code: 250, enhanced: '2.0.0', text: 'queued as 1' }
    const job = changed({ kind: 'relayed', reported: { reply } })
    assert.match(textOf(job), /you will get no further notice/)
    assert.match(textOf(job), /\r\n {2}250 2\.0\.0 queued as 1\r\n/)
    assert.deepEqual([field(job, 'Action'), field(job, 'Status')], [['relayed'], ['2.0.0']])
  })
})

test('no text from a peer adds a field, a part or a line to a DSN', () => {
  const evil = 'x\r\nAction: delivered\r\n\r\n--boundary\r\n\u2028<victim@x.example>\x85y'
  const job = changed({
    reported: { lastAttempt: attempt({ host: evil }), reply: { code: 550, enhanced: '', text: evil } },
  })
  const { parts } = build({
    ...job,
    message: message({ mailFrom: 'a@ours.example', source: { ip: '192.0.2.1', port: 1, helo: evil } }),
  })
  assert.equal(parts.length, 3)
  assert.deepEqual(parts[1]?.text.match(/^Action: .*$/gm), ['Action: failed'])
  assert.doesNotMatch(parts[0]?.text ?? '', /^(?:Action|--|<victim)/m)
  assert.deepEqual(field(job, 'Status'), ['5.0.0'])
})

test('long text from a peer is cut, so that no line of the delivery status exceeds 998 octets', () => {
  const text = 'é'.repeat(100_000)
  for (const mailFrom of ['a@ours.example', 'jörg@ours.example'])
    for (const line of build(
      changed({
        envelope: { mailFrom, smtpUtf8: true },
        reported: { reply: { code: 550, enhanced: '5.0.0', text } },
      }),
    )
      .parts[1]?.octets.toString('latin1')
      .split('\r\n') ?? [])
      assert.ok(line.length <= 998, `${line.length} octets`)
})

test('a DSN about a recipient without an attempt has no Last-Attempt-Date and no Remote-MTA', () => {
  const job = changed({ reported: { lastAttempt: null } })
  assert.deepEqual([field(job, 'Last-Attempt-Date'), field(job, 'Remote-MTA')], [[], []])
})

describe('the field Remote-MTA', () => {
  const rows: [host: string, field: string[]][] = [
    ['mx.northwind.example', ['dns; mx.northwind.example']],
    ['192.0.2.25', ['dns; [192.0.2.25]']],
    ['2001:db8::25', ['dns; [IPv6:2001:db8::25]']],
    ['Amazon SES', []],
  ]
  for (const [host, expected] of rows)
    test(`is ${expected[0] ?? 'absent'} when the next hop is ${host}`, () => {
      assert.deepEqual(
        field(changed({ reported: { lastAttempt: attempt({ host }) } }), 'Remote-MTA'),
        expected,
      )
    })
})

describe('the field Original-Envelope-Id', () => {
  test('has the ENVID of the sender, decoded from xtext', () => {
    const job = changed({ envelope: { dsn: { ret: null, envid: 'QQ+1=2 x' } } })
    assert.deepEqual(field(job, 'Original-Envelope-Id'), ['QQ+1=2 x'])
  })
  test('is absent when the sender gave no ENVID', () => {
    assert.deepEqual(field(failed, 'Original-Envelope-Id'), [])
  })
})

describe('a recipient in a DSN', () => {
  const mailFroms = { Ascii: 'a@ours.example', Utf8: 'jörg@ours.example' }
  const fieldsOf = (fields: Partial<Recipient>, form: keyof typeof mailFroms, name: string) =>
    field(changed({ reported: fields, envelope: { mailFrom: mailFroms[form], smtpUtf8: true } }), name)

  const finals: [address: string, ascii: string, utf8: string][] = [
    ['b@northwind.example', 'rfc822; b@northwind.example', 'rfc822; b@northwind.example'],
    ['B+x=y@Northwind.example', 'rfc822; B+x=y@Northwind.example', 'rfc822; B+x=y@Northwind.example'],
    ['josé@x.example', 'utf-8; jos\\x{E9}@x.example', 'utf-8; josé@x.example'],
    ['é+a=b\\@x.example', 'utf-8; \\x{E9}\\x{2B}a\\x{3D}b\\x{5C}@x.example', 'utf-8; é+a=b\\@x.example'],
    ['😀@x.example', 'utf-8; \\x{1F600}@x.example', 'utf-8; 😀@x.example'],
    ['é\u202e@x.example', 'utf-8; \\x{E9}\\x{202E}@x.example', 'utf-8; é?@x.example'],
  ]
  for (const [address, ascii, utf8] of finals)
    test(`has the address of RCPT TO as Final-Recipient, "${ascii}" in a DSN to an ASCII address`, () => {
      assert.deepEqual(fieldsOf({ address }, 'Ascii', 'Final-Recipient'), [ascii])
      assert.deepEqual(fieldsOf({ address }, 'Utf8', 'Final-Recipient'), [utf8])
    })

  const originals: [orcpt: string, ascii: string, utf8: string][] = [
    ['rfc822;B@Northwind.example', 'rfc822;B@Northwind.example', 'rfc822;B@Northwind.example'],
    ['rfc822;b+2Bc@x.example', 'rfc822;b+c@x.example', 'rfc822;b+c@x.example'],
    ['x400;/S=b+2F+3Bc/', 'x400;/S=b/;c/', 'x400;/S=b/;c/'],
    ['utf-8;jos\\x{E9}@x.example', 'utf-8;jos\\x{E9}@x.example', 'utf-8;josé@x.example'],
    ['UTF-8;jos\\x{e9}@x.example', 'UTF-8;jos\\x{E9}@x.example', 'UTF-8;josé@x.example'],
    ['utf-8;a\\x{2B}\\x{E9}@x.example', 'utf-8;a\\x{2B}\\x{E9}@x.example', 'utf-8;a+é@x.example'],
    ['utf-8;no address', 'utf-8;no address', 'utf-8;no address'],
    ['utf-8;a\\b\\x{E9}@x.example', 'utf-8;a\\b\\x{E9}@x.example', 'utf-8;a\\b\\x{E9}@x.example'],
    ['utf-8;a\\x{D}@x.example', 'utf-8;a\\x{D}@x.example', 'utf-8;a\\x{D}@x.example'],
    ['utf-8;\\x{0A}@x.example', 'utf-8;\\x{0A}@x.example', 'utf-8;?@x.example'],
    ['utf-8;\\x{D800}@x.example', 'utf-8;\\x{FFFD}@x.example', 'utf-8;\ufffd@x.example'],
    ['rfc822;a+0D+0AAction: x', 'rfc822;a Action: x', 'rfc822;a Action: x'],
  ]
  for (const [orcpt, ascii, utf8] of originals)
    test(`with ORCPT=${orcpt} has the Original-Recipient "${ascii}" in a DSN to an ASCII address`, () => {
      assert.deepEqual(fieldsOf({ orcpt }, 'Ascii', 'Original-Recipient'), [ascii])
      assert.deepEqual(fieldsOf({ orcpt }, 'Utf8', 'Original-Recipient'), [utf8])
    })
  test('has no Original-Recipient without ORCPT', () => {
    assert.deepEqual(fieldsOf({ orcpt: null }, 'Ascii', 'Original-Recipient'), [])
  })
})

describe('the part of a DSN that returns the message', () => {
  const ascii = 'From: a@ours.example\r\nSubject: x\r\n'
  const german = 'From: a@ours.example\r\nSubject: Grüße\r\n'
  const latin1 = Buffer.from('Subject: Gr\xfc\xdfe\r\n', 'latin1')
  const long = `Subject: ${'x'.repeat(2000)}\r\n`
  type Row = [
    name: string,
    original: { kind: 'Headers' | 'Message'; octets: Buffer | string },
    sender: { utf8Address: boolean; smtpUtf8: boolean },
    part: { type: string; encoding: string; octets: Buffer | string },
  ]
  const plain = { utf8Address: false, smtpUtf8: false }
  const asciiSender = { utf8Address: false, smtpUtf8: true }
  const utf8Sender = { utf8Address: true, smtpUtf8: true }
  const asHeaders = (octets: Buffer | string) => ({ kind: 'Headers' as const, octets })
  const asMessage = (octets: Buffer | string) => ({ kind: 'Message' as const, octets })
  const rows: Row[] = [
    [
      'ASCII headers',
      asHeaders(ascii),
      plain,
      { type: 'text/rfc822-headers', encoding: '7bit', octets: ascii },
    ],
    [
      'headers with bare UTF-8',
      asHeaders(german),
      plain,
      { type: 'text/rfc822-headers; charset=utf-8', encoding: 'quoted-printable', octets: german },
    ],
    [
      'headers with eight-bit octets that are not UTF-8',
      asHeaders(latin1),
      utf8Sender,
      { type: 'text/rfc822-headers; charset=unknown-8bit', encoding: 'quoted-printable', octets: latin1 },
    ],
    [
      'headers with a line above the line limit',
      asHeaders(long),
      plain,
      { type: 'text/rfc822-headers; charset=utf-8', encoding: 'quoted-printable', octets: long },
    ],
    [
      'internationalised headers for an ASCII address',
      asHeaders(german),
      asciiSender,
      { type: 'message/global-headers', encoding: 'quoted-printable', octets: german },
    ],
    [
      'internationalised headers for an internationalised address',
      asHeaders(german),
      utf8Sender,
      { type: 'message/global-headers', encoding: '8bit', octets: german },
    ],
    [
      'internationalised headers with a long line for an internationalised address',
      asHeaders(`${german}${long}`),
      utf8Sender,
      { type: 'message/global-headers', encoding: 'quoted-printable', octets: `${german}${long}` },
    ],
    [
      'a whole seven-bit message',
      asMessage(`${ascii}\r\nHello\r\n`),
      plain,
      { type: 'message/rfc822', encoding: '7bit', octets: `${ascii}\r\nHello\r\n` },
    ],
    [
      'a whole message without a body',
      asMessage(ascii),
      plain,
      { type: 'message/rfc822', encoding: '7bit', octets: ascii },
    ],
    [
      'only the headers of an eight-bit message',
      asMessage(`${ascii}\r\nGrüße\r\n`),
      plain,
      { type: 'text/rfc822-headers', encoding: '7bit', octets: ascii },
    ],
    [
      'only the headers of a message with a line above the line limit',
      asMessage(`${ascii}\r\n${'x'.repeat(999)}\r\n`),
      utf8Sender,
      { type: 'text/rfc822-headers', encoding: '7bit', octets: ascii },
    ],
    [
      'only the headers of an internationalised message for an ASCII address',
      asMessage(`${german}\r\nGrüße\r\n`),
      asciiSender,
      { type: 'message/global-headers', encoding: 'quoted-printable', octets: german },
    ],
    [
      'a whole internationalised message for an internationalised address',
      asMessage(`${german}\r\nGrüße\r\n`),
      utf8Sender,
      { type: 'message/global', encoding: '8bit', octets: `${german}\r\nGrüße\r\n` },
    ],
    [
      'no headers for an eight-bit message without headers',
      asMessage('\r\nGrüße\r\n'),
      plain,
      { type: 'text/rfc822-headers', encoding: '7bit', octets: '' },
    ],
  ]
  for (const [name, { kind, octets }, { utf8Address, smtpUtf8 }, part] of rows)
    test(`has ${name} as ${part.type} in ${part.encoding}`, () => {
      const mailFrom = utf8Address ? 'jörg@ours.example' : 'a@ours.example'
      const job = changed({ envelope: { mailFrom, smtpUtf8 } })
      const returned = build(job, { kind, octets: Buffer.from(octets) }).parts[2]
      assert.deepEqual(
        [returned?.type, returned?.encoding, returned?.octets],
        [part.type, part.encoding, Buffer.from(part.octets)],
      )
    })

  test('is absent when the content has been deleted', () => {
    assert.equal(build(failed, null).parts.length, 2)
  })
})

describe('a DSN to an internationalised address', () => {
  const job = changed({
    envelope: { mailFrom: 'jörg@ours.example', smtpUtf8: true },
    reported: { address: 'josé@x.example', reply: { code: 550, enhanced: '5.1.1', text: 'Unbekannt: josé' } },
  })
  test('is in UTF-8, and its envelope requests SMTPUTF8', () => {
    const { headers: head, parts } = build(job)
    assert.equal(head.get('to'), '<jörg@ours.example>')
    assert.equal(head.get('content-transfer-encoding'), '8bit')
    assert.deepEqual(
      parts.map(({ type }) => type),
      ['text/plain; charset=utf-8', 'message/global-delivery-status', 'message/global-headers'],
    )
    assert.deepEqual(field(job, 'Diagnostic-Code'), ['smtp; 550 5.1.1 Unbekannt: josé'])
    const { smtpUtf8, eightBit } = buildDsn(job, hostname, headers)
    assert.deepEqual([smtpUtf8, eightBit], [true, true])
  })
  test('has parts of the types for ASCII when its status and headers are ASCII', () => {
    const plain = changed({ envelope: { mailFrom: 'jörg@ours.example', smtpUtf8: true } })
    assert.deepEqual(
      build(plain, { kind: 'Headers', octets: Buffer.from('Subject: x\r\n') }).parts.map(({ type }) => type),
      ['text/plain; charset=utf-8', 'message/delivery-status', 'text/rfc822-headers'],
    )
  })
})

test('a DSN to an ASCII address needs no SMTP extension', () => {
  const job = changed({
    envelope: { smtpUtf8: true },
    reported: { address: 'josé@x.example', reply: { code: 550, enhanced: '5.1.1', text: 'josé' } },
  })
  const { octets, smtpUtf8, eightBit } = buildDsn(job, hostname, headers)
  assert.deepEqual([smtpUtf8, eightBit], [false, false])
  assert.ok(octets.every((octet) => octet < 0x80))
})

test('a message from <> gets no DSN', () => {
  assert.throws(() => buildDsn(changed({ envelope: { mailFrom: '' } }), hostname, headers), /from <>/)
})

test('the id of a DSN is the same at another time, and differs for another kind or recipient', () => {
  const id = dsnId(failed)
  assert.match(id, /^01KF0CVZT0[0-9A-HJKMNP-TV-Z]{16}$/)
  assert.equal(dsnId({ ...failed, at: minutesLater(1500).toISOString() }), id)
  assert.notEqual(dsnId({ ...failed, kind: 'delayed' }), id)
  assert.notEqual(dsnId(changed({ reported: { address: 'c@northwind.example' } })), id)
})
