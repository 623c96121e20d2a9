/**
 * Tests every kind of decision end to end through the synthesised stack, by the message trace and by the messages that
 * the next hop received.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  SmtpClient,
  sendMessage,
  startRunner,
  type Trace,
  waitForResult,
} from '../support/local/runner.ts'
import { createPki, type Identity, type Pki } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const partners: Record<'mailbox' | 'plain' | 'good' | 'strange' | 'strict', Partner> = {} as never
let runner: RunnerProcess
let api: Api
let pki: Pki
let ourServer: Identity

before(
  async () => {
    pki = await createPki()
    const unrelated = await createPki('Another CA')
    ourServer = await pki.issue({ names: ['mailbox.ours.example'] })
    partners.mailbox = await startPartner({ tls: await pki.issue({ names: ['mailbox.ours.example'] }) })
    partners.plain = await startPartner()
    partners.good = await startPartner({ tls: await pki.issue({ names: ['mx.good.example'] }) })
    partners.strange = await startPartner({ tls: await unrelated.issue({ names: ['mx.strange.example'] }) })
    partners.strict = await startPartner({
      extensions: ['8BITMIME'],
      answer: (command) => (/^RCPT TO:<(?!kept@)/.test(command) ? '550 5.1.1 No such user here' : undefined),
    })
    runner = await startRunner(zone())
    api = new Api(runner.endpoints)
    await setUp()
  },
  { timeout: 120_000 },
)

after(async () => {
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
  await Promise.all(Object.values(partners).map((partner) => partner.stop()))
})

function zone() {
  const at = (partner: Partner) => `127.0.0.1:${partner.port}`
  return {
    names: {
      'plain.example': { MX: [[10, 'mx.plain.example']] },
      'forced.example': { MX: [[10, 'mx.plain.example']] },
      'mx.plain.example': { A: ['127.0.0.11'] },
      'good.example': { MX: [[10, 'mx.good.example']] },
      'misnamed.example': { MX: [[10, 'mx.good.example']] },
      'mx.good.example': { A: ['127.0.0.12'] },
      'strange.example': { MX: [[10, 'mx.strange.example']] },
      'untrusted.example': { MX: [[10, 'mx.strange.example']] },
      'impatient.example': { MX: [[10, 'mx.strange.example']] },
      'mx.strange.example': { A: ['127.0.0.13'] },
      'strict.example': { MX: [[10, 'mx.strict.example']] },
      'mx.strict.example': { A: ['127.0.0.14'] },
      'nomail.example': { MX: [[0, '']] },
      'broken.example': { fail: 'SERVFAIL' },
    },
    ports: {
      '127.0.0.11': at(partners.plain),
      '127.0.0.12': at(partners.good),
      '127.0.0.13': at(partners.strange),
      '127.0.0.14': at(partners.strict),
    },
  }
}

async function setUp(): Promise<void> {
  const certificateAuthorities = [pki.ca]
  const partner = { connectorType: 'Partner', certificateAuthorities }
  const validated = (domain: string, tlsDomain: string) => ({
    ...partner,
    name: `to ${domain}`,
    recipientDomains: [domain],
    tlsSettings: 'DomainValidation',
    tlsDomain,
  })
  await setUpMailboxServer(api, partners.mailbox)
  await api.create('inbound', {
    name: 'our server',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    tlsSenderCertificateNames: ['mailbox.ours.example'],
    certificateAuthorities,
  })
  await api.create('inbound', {
    name: 'from bank',
    connectorType: 'Partner',
    senderDomains: ['bank.example'],
  })
  await api.create('outbound', validated('good.example', '*.good.example'))
  await api.create('outbound', validated('misnamed.example', 'mx.misnamed.example'))
  await api.create('outbound', validated('untrusted.example', 'mx.strange.example'))
  await api.create('outbound', {
    ...validated('impatient.example', 'mx.strange.example'),
    onTlsFailure: 'Bounce',
  })
  await api.create('outbound', {
    name: 'through SES',
    connectorType: 'Partner',
    recipientDomains: ['far.example'],
    route: 'Ses',
    tlsSettings: 'EncryptionOnly',
  })
  await api.create('outbound', {
    name: 'to forced.example',
    connectorType: 'Partner',
    recipientDomains: ['forced.example'],
    tlsSettings: 'EncryptionOnly',
  })
}

let serial = 0

/** Returns a message with lines that are easy to corrupt: leading dots, trailing spaces, an empty last line. */
function message(from: string, to: string): string {
  serial += 1
  const header = `From: <${from}>\r\nTo: <${to}>\r\nSubject: number ${serial}\r\nMessage-ID: <${serial}@test.example>\r\n`
  return `${header}\r\nfirst line\r\n.\r\n..two dots  \r\n\r\nlast\r\n`
}

/** Sends as the organisation's mail server and returns the trace when no recipient is pending. */
async function sendFromOurServer(to: string): Promise<{ trace: Trace; content: string }> {
  const content = message('ann@ours.example', to)
  const reply = await sendMessage(runner.endpoints, 'ann@ours.example', to, content, ourServer)
  assert.match(reply, /^250 2\.0\.0 /)
  return { trace: await api.settled(messageIdIn(reply)), content }
}

const receivedBy = (partner: Partner, content: string) =>
  partner.received.filter(({ content: octets }) => octets.toString('latin1').endsWith(content))

/** Returns the octets that precede the client's octets. */
function headersAdded(received: { content: Buffer }, content: string): string {
  return received.content.toString('latin1').slice(0, -content.length)
}

const attemptOf = (trace: Trace) => trace.recipients[0]?.attempts.at(-1)

test('mail in the clear from a domain without a connector is accepted, and the mailbox server gets the same octets with authentication results', async () => {
  const content = message('bob@plain.example', 'ann@ours.example')
  const reply = await sendMessage(runner.endpoints, 'bob@plain.example', 'ann@ours.example', content)
  const trace = await api.settled(messageIdIn(reply))
  assert.equal(trace.direction, 'Incoming')
  assert.equal(trace.tls.negotiated, false)
  assert.equal(trace.recipients[0]?.state, 'Delivered')
  assert.equal(trace.recipients[0]?.verdict.reason, 'ConnectorMatched')
  const [received, ...others] = receivedBy(partners.mailbox, content)
  assert.deepEqual(others, [])
  assert.match(
    headersAdded(received as never, content),
    /^Authentication-Results: mail\.example\.com;[\s\S]* dmarc=none [\s\S]*\r\nReceived-SPF: none [\s\S]*\r\nReceived: from client\.example[\s\S]*with ESMTP id [\s\S]*\r\n$/,
  )
  assert.equal(
    received?.tls?.protocol,
    'TLSv1.3',
    'TLS is used to the mailbox server because the server offers it',
  )
})

test('mail between addresses with characters above U+FFFF is delivered, and its trace has the addresses', async () => {
  const [from, to] = ['😀@plain.example', '𠮷野@ours.example']
  const content = message(from, to)
  const client = await SmtpClient.open(runner.endpoints)
  await client.command(`MAIL FROM:<${from}> SMTPUTF8`)
  await client.command(`RCPT TO:<${to}>`)
  await client.command('DATA')
  const reply = await client.command(`${content}.`)
  client.close()
  const trace = await api.settled(messageIdIn(reply))
  assert.deepEqual([trace.recipients[0]?.address, trace.recipients[0]?.state], [to, 'Delivered'])
  const received = partners.mailbox.received.find(({ recipients }) => recipients.includes(`RCPT TO:<${to}>`))
  assert.match(received?.mail ?? '', /^MAIL FROM:<😀@plain\.example> .*SMTPUTF8$/u)
  assert.ok(received?.content.toString().includes(`for <${to}>`))
})

test('the trace and the Received header of mail over TLS name the TLS version', async () => {
  const content = message('teller@bank.example', 'ann@ours.example')
  const reply = await sendMessage(runner.endpoints, 'teller@bank.example', 'ann@ours.example', content, {})
  const trace = await api.settled(messageIdIn(reply))
  assert.deepEqual([trace.tls.negotiated, trace.tls.protocol], [true, 'TLSv1.3'])
  const [received] = receivedBy(partners.mailbox, content)
  assert.match(
    headersAdded(received as never, content),
    /\(using TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384\)[\s\S]*with ESMTPS /,
  )
})

test('mail in the clear from a partner that must use TLS gets 530, and nothing is delivered', async () => {
  const before = partners.mailbox.received.length
  const content = message('teller@bank.example', 'ann@ours.example')
  const reply = await sendMessage(runner.endpoints, 'teller@bank.example', 'ann@ours.example', content)
  assert.equal(reply, '530 5.7.0 Must issue a STARTTLS command first')
  assert.equal(partners.mailbox.received.length, before)
})

test("relay is refused to a client without the certificate of the organisation's server, in the clear and over TLS", async () => {
  for (const tls of [undefined, {}]) {
    const client = await SmtpClient.open(runner.endpoints, tls)
    const reply = await client.send('ann@ours.example', ['bob@plain.example'], 'Subject: x\r\n\r\n')
    client.close()
    assert.equal(reply, '550 5.7.64 Relay access denied')
  }
})

test('mail to a partner without TLS and without a connector is sent in the clear', async () => {
  const { trace, content } = await sendFromOurServer('bob@plain.example')
  assert.equal(trace.direction, 'Originating')
  assert.equal(trace.recipients[0]?.state, 'Delivered')
  assert.equal(trace.recipients[0]?.verdict.reason, 'DefaultRoute')
  assert.equal(attemptOf(trace)?.tls, null)
  assert.equal(receivedBy(partners.plain, content)[0]?.tls, null)
  assert.ok(partners.plain.wire().includes('first line'), 'readable on the wire')
})

test('mail to a partner with an untrusted certificate and without a connector is sent over TLS', async () => {
  const { trace, content } = await sendFromOurServer('eve@strange.example')
  assert.equal(trace.recipients[0]?.state, 'Delivered')
  assert.deepEqual([attemptOf(trace)?.tls?.protocol, attemptOf(trace)?.tls?.verified], ['TLSv1.3', false])
  assert.equal(receivedBy(partners.strange, content)[0]?.tls?.protocol, 'TLSv1.3')
  assert.ok(!partners.strange.wire().includes('first line'), 'unreadable on the wire')
})

test('mail under forced TLS to a partner with the right certificate is sent over TLS, and the trace has verified', async () => {
  const { trace, content } = await sendFromOurServer('teller@good.example')
  assert.equal(trace.recipients[0]?.state, 'Delivered')
  assert.deepEqual([attemptOf(trace)?.tls?.protocol, attemptOf(trace)?.tls?.verified], ['TLSv1.3', true])
  assert.equal(attemptOf(trace)?.host, 'mx.good.example')
  const [received] = receivedBy(partners.good, content)
  assert.deepEqual(received?.tls, { protocol: 'TLSv1.3', serverName: 'mx.good.example' })
})

test('mail to the domain of a connector with route Ses is sent to SES once', async () => {
  const { trace, content } = await sendFromOurServer('x@far.example')
  assert.equal(trace.recipients[0]?.state, 'Delivered')
  const store = await (await fetch(`${runner.endpoints.ses}/store`)).json()
  const { emails } = store as { emails: { subject: string; destination: { to: string[] } }[] }
  assert.deepEqual(
    emails.map(({ subject, destination }) => [subject, destination.to]),
    [[/Subject: (.*)\r\n/.exec(content)?.[1], ['x@far.example']]],
  )
})

const unmet = [
  { to: 'dr@forced.example', partner: 'plain', code: '4.7.321', why: 'offers no STARTTLS' },
  { to: 'a@misnamed.example', partner: 'good', code: '4.7.325', why: 'has another name in its certificate' },
  {
    to: 'b@untrusted.example',
    partner: 'strange',
    code: '4.7.320',
    why: 'has a certificate of another authority',
  },
] as const
for (const { to, partner, code, why } of unmet)
  test(`mail under forced TLS to a partner that ${why} is deferred with ${code}, without MAIL FROM`, async () => {
    const commandsBefore = partners[partner].commands.length
    const { trace, content } = await sendFromOurServer(to)
    assert.equal(trace.recipients[0]?.state, 'Deferred')
    assert.match(attemptOf(trace)?.reply ?? '', new RegExp(`\\b${code.replaceAll('.', '\\.')}\\b`))
    assert.deepEqual(receivedBy(partners[partner], content), [])
    const commands = partners[partner].commands.slice(commandsBefore)
    assert.ok(
      commands.some((line) => line.startsWith('EHLO')),
      'mailflow opened a session',
    )
    assert.deepEqual(
      commands.filter((line) => line.startsWith('MAIL')),
      [],
    )
    assert.ok(!partners[partner].wire().includes(content), 'the message is not on the wire')
  })

/** Returns the DSN to Ann about this address, as her mailbox server received it. */
async function notificationAbout(address: string): Promise<string> {
  return waitForResult(() => {
    const dsn = partners.mailbox.received.find(
      ({ mail, content }) => mail.startsWith('MAIL FROM:<>') && content.includes(`rfc822; ${address}`),
    )
    return dsn?.content.toString('latin1').replaceAll(/\r\n[ \t]+/g, ' ') ?? null
  })
}

test('mail under forced TLS with onTlsFailure Bounce to a partner with an untrusted certificate bounces, and the DSN names connector and reason', async () => {
  const { trace, content } = await sendFromOurServer('c@impatient.example')
  assert.equal(trace.recipients[0]?.state, 'Bounced')
  assert.deepEqual(receivedBy(partners.strange, content), [])
  const notification = await notificationAbout('c@impatient.example')
  assert.match(notification, /Content-Type: multipart\/report;[\s\S]*report-type="?delivery-status/i)
  assert.match(notification, /Action: failed/i)
  assert.match(notification, /Status: 5\.7\.320/i)
  assert.match(notification, /to impatient\.example/)
  assert.ok(
    !notification.includes('first line'),
    'the DSN returns only the headers, because the connector forces TLS',
  )
})

test('mail that the partner refuses with 550 bounces, and the DSN contains that reply', async () => {
  const { trace } = await sendFromOurServer('unknown@strict.example')
  assert.equal(trace.recipients[0]?.state, 'Bounced')
  assert.match(attemptOf(trace)?.reply ?? '', /^550 5\.1\.1 No such user here/)
  const notification = await notificationAbout('unknown@strict.example')
  assert.match(notification, /Status: 5\.1\.1/i)
  assert.match(notification, /No such user here/)
})

test('a reply to the From address of a DSN arrives at the mailbox server, for postmaster of the accepted domain', async () => {
  await sendFromOurServer('other@strict.example')
  const notification = await notificationAbout('other@strict.example')
  const [, sender = ''] = /^From: .*<(postmaster@[^>]+)>/m.exec(notification) ?? []
  const content = message('bob@plain.example', sender)
  const reply = await sendMessage(runner.endpoints, 'bob@plain.example', sender, content)
  await api.settled(messageIdIn(reply), ['Delivered'])
  assert.notEqual(sender, 'postmaster@ours.example')
  const [received] = receivedBy(partners.mailbox, content)
  assert.match(received?.recipients.join() ?? '', /^RCPT TO:<postmaster@ours\.example>/)
})

test('DSNs follow the parameters NOTIFY, RET, ENVID and ORCPT of the message', async () => {
  const client = await SmtpClient.open(runner.endpoints, ourServer)
  const commands = [
    'MAIL FROM:<ann@ours.example> RET=FULL ENVID=QQ+2B1',
    'RCPT TO:<kept@strict.example> NOTIFY=SUCCESS ORCPT=rfc822;Kept+2Bx@strict.example',
    'RCPT TO:<unknown@strict.example> NOTIFY=SUCCESS,FAILURE',
    'RCPT TO:<quiet@strict.example> NOTIFY=NEVER',
    'DATA',
  ]
  for (const command of commands) assert.match(await client.command(command), /^[23]/)
  client.write(`${message('ann@ours.example', 'kept@strict.example').replaceAll(/^\./gm, '..')}.\r\n`)
  const id = messageIdIn(await client.reply())
  client.close()
  const success = await notificationAbout('kept@strict.example')
  assert.match(success, /Original-Envelope-Id: QQ\+1\r\n/)
  assert.match(success, /Original-Recipient: rfc822;Kept\+x@strict\.example\r\n/)
  assert.match(success, /Action: relayed\r\nStatus: 2\.0\.0/)
  const failure = await notificationAbout('unknown@strict.example')
  assert.match(failure, /Action: failed\r\nStatus: 5\.1\.1/)
  assert.equal(failure.match(/^Final-Recipient:/gm)?.length, 1)
  assert.doesNotMatch(failure, /quiet@|first line/)
  const dsns = await waitForResult(async () => {
    const { recipients } = await api.call<NotificationTrace>('GET', `/messages/${id}`)
    const notifications = recipients.flatMap(({ address, notifications: dsns }) =>
      dsns.map(({ kind, state }) => `${address} ${kind} ${state}`),
    )
    return notifications.length === 2 &&
      notifications.every((notification) => notification.endsWith('Delivered'))
      ? notifications.toSorted()
      : null
  })
  assert.deepEqual(dsns, ['kept@strict.example relayed Delivered', 'unknown@strict.example failed Delivered'])
})

interface NotificationTrace {
  recipients: { address: string; notifications: { kind: string; state: string | null }[] }[]
}

const unresolved = [
  {
    to: 'x@nomail.example',
    state: 'Bounced',
    code: '5.1.10',
    why: 'has a null MX',
  },
  { to: 'x@broken.example', state: 'Deferred', code: '4.4.312', why: 'has a DNS server that fails' },
]
for (const { to, state, code, why } of unresolved)
  test(`mail to a domain that ${why} is ${state} with ${code}`, async () => {
    const { trace } = await sendFromOurServer(to)
    assert.equal(trace.recipients[0]?.state, state)
    assert.match(attemptOf(trace)?.reply ?? '', new RegExp(`\\b${code.replaceAll('.', '\\.')}\\b`))
  })

test('one recipient of a message is deferred while the other two are delivered', async () => {
  const content = message('ann@ours.example', 'several')
  const to = ['bob@plain.example', 'dr@forced.example', 'carl@ours.example']
  const reply = await sendMessage(runner.endpoints, 'ann@ours.example', to, content, ourServer)
  const trace = await api.settled(messageIdIn(reply))
  const states = Object.fromEntries(trace.recipients.map(({ address, state }) => [address, state]))
  assert.deepEqual(states, {
    'bob@plain.example': 'Delivered',
    'dr@forced.example': 'Deferred',
    'carl@ours.example': 'Delivered',
  })
  assert.equal(receivedBy(partners.mailbox, content).length, 1)
  assert.equal(receivedBy(partners.plain, content).length, 1)
})
