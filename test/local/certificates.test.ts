/**
 * Tests identification by certificate end to end, with real handshakes in TLS 1.2 and 1.3. The reply to RCPT TO, the
 * decision after the queue, the DSN and the prediction of `POST /explain` must agree word for word.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  type ClientTls,
  launchTrusting,
  messageIdIn,
  type RunnerProcess,
  SmtpClient,
  startRunner,
  type Trace,
  waitForResult,
} from '../support/local/runner.ts'
import { createPki, daysFromNow, type Identity, selfSigned } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const publicCa = await createPki('Public CA')
const ownCa = await createPki('Own CA')
const unknownCa = await createPki('Unknown CA')

const expected = { tlsSenderCertificateNames: ['mail.partner.example'] }
const accepted = '250 2.1.5 Accepted'
const restricted = { inSession: '550 5.7.51 Sender domain is restricted to its own servers' }
const heldReply = '451 4.7.51 Sender domain is restricted to its own servers'

interface Case {
  /** The name is also the first label of the partner's domain. */
  name: string
  client: Identity | null
  connector: object
  /** Null when the certificate is accepted. */
  refused: { inSession: string; faults: RegExp } | null
}

const withNames = (...names: string[]) => ({ names })
const pinned = await selfSigned(withNames('whatever.example'))
const notAfter = daysFromNow(-0.5)

const cases: Case[] = [
  {
    name: 'right-name',
    client: await publicCa.issue(withNames('mail.partner.example')),
    connector: expected,
    refused: null,
  },
  {
    name: 'servers-only',
    client: await publicCa.issue({ ...withNames('mail.partner.example'), purposes: ['serverAuth'] }),
    connector: expected,
    refused: null,
  },
  {
    name: 'servers-only-refused',
    client: await publicCa.issue({ ...withNames('mail.partner.example'), purposes: ['serverAuth'] }),
    connector: { ...expected, requireClientAuthEku: true },
    refused: { ...restricted, faults: /: not issued for client authentication\.$/ },
  },
  {
    name: 'wildcard-name',
    client: await publicCa.issue(withNames('*.partner.example')),
    connector: expected,
    refused: null,
  },
  {
    name: 'wrong-name',
    client: await publicCa.issue(withNames('mail.other.example')),
    connector: expected,
    refused: {
      ...restricted,
      faults: /: presented names \[mail\.other\.example\], expected \[mail\.partner\.example\]\.$/,
    },
  },
  {
    name: 'expired',
    client: await publicCa.issue({ ...withNames('mail.partner.example'), notAfter }),
    connector: expected,
    refused: {
      ...restricted,
      faults: /: expired on \d{4}-\d\d-\d\dT[\d:.]+Z\.$/,
    },
  },
  {
    name: 'unknown-authority',
    client: await unknownCa.issue(withNames('mail.partner.example')),
    connector: expected,
    refused: {
      ...restricted,
      faults: /: issued by CN=Unknown CA, which is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)\.$/,
    },
  },
  {
    name: 'own-authority',
    client: await ownCa.issue(withNames('mail.partner.example')),
    connector: { ...expected, certificateAuthorities: [ownCa.ca] },
    refused: null,
  },
  {
    name: 'pinned',
    client: pinned,
    connector: { certificateFingerprints: [new X509Certificate(pinned.cert).fingerprint256] },
    refused: null,
  },
  {
    name: 'no-certificate',
    client: null,
    connector: expected,
    refused: {
      ...restricted,
      faults: /accepts only a certificate for \[mail\.partner\.example\]; none was presented\.$/,
    },
  },
]

const versions = ['TLSv1.2', 'TLSv1.3'] as const

let runner: RunnerProcess
let api: Api
let mailboxes: Partner
/** Receives the DSNs to the partners. */
let partners: Partner
const connectors = new Map<string, string>()

const domainOf = ({ name }: Case): string => `${name}.example`

before(
  async () => {
    mailboxes = await startPartner()
    partners = await startPartner()
    runner = await startRunner(zone(), ['--no-demo'], launchTrusting(publicCa.ca))
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, mailboxes)
    for (const partnerCase of cases)
      connectors.set(
        partnerCase.name,
        await api.create('inbound', {
          name: partnerCase.name,
          connectorType: 'Partner',
          senderDomains: [domainOf(partnerCase)],
          restrictDomainsToCertificate: true,
          ...partnerCase.connector,
        }),
      )
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await Promise.all([mailboxes, partners].map((partner) => partner?.stop()))
})

function zone() {
  const names = cases.map((partnerCase) => [domainOf(partnerCase), { MX: [[10, 'mx.partners.example']] }])
  return {
    names: { ...Object.fromEntries(names), 'mx.partners.example': { A: ['127.0.0.11'] } },
    ports: { '127.0.0.11': `127.0.0.1:${partners.port}` },
  }
}

const clientOf = ({ client }: Case, version: 'TLSv1.2' | 'TLSv1.3'): ClientTls => ({
  ...client,
  minVersion: version,
  maxVersion: version,
})

async function replyToRecipient(partnerCase: Case, tls: ClientTls | undefined): Promise<string> {
  const client = await SmtpClient.open(runner.endpoints, tls)
  await client.command(`MAIL FROM:<a@${domainOf(partnerCase)}>`)
  const reply = await client.command('RCPT TO:<ann@ours.example>')
  client.close()
  return reply
}

async function predictDecision(partnerCase: Case, version: string) {
  const { considered, recipients } = await api.call<{
    considered: object[]
    recipients: [
      {
        inSession: string
        verdict: { reply: string | null; explanation: string }
        considered: object[]
      },
    ]
  }>('POST', '/explain', {
    mailFrom: `a@${domainOf(partnerCase)}`,
    rcptTo: ['ann@ours.example'],
    ip: '127.0.0.1',
    tls: {
      negotiated: true,
      protocol: version,
      ...(partnerCase.client && { clientCertificate: partnerCase.client.cert }),
    },
  })
  const [recipient] = recipients
  return { ...recipient, considered: [...considered, ...recipient.considered] }
}

for (const partnerCase of cases)
  for (const version of versions)
    test(`a client certificate of the case ${partnerCase.name} is ${partnerCase.refused ? 'refused' : 'accepted'} over ${version} at RCPT TO, as POST /explain predicts`, async () => {
      const reply = await replyToRecipient(partnerCase, clientOf(partnerCase, version))
      assert.equal(reply, partnerCase.refused?.inSession ?? accepted)
      assert.equal((await predictDecision(partnerCase, version)).inSession, reply)
    })

test('every partner gets 530 at RCPT TO in the clear', async () => {
  for (const partnerCase of cases)
    assert.equal(
      await replyToRecipient(partnerCase, undefined),
      '530 5.7.0 Must issue a STARTTLS command first',
    )
})

/** Sends a message after the ingress has read that the connector defers mail instead of refusing it. */
async function sendHeld(partnerCase: Case, version: 'TLSv1.2' | 'TLSv1.3'): Promise<string> {
  const client = await SmtpClient.open(runner.endpoints, clientOf(partnerCase, version))
  // A DSN to a sender that nothing identifies is no larger than the message.
  const text = 'hello\r\n'.repeat(600)
  const content = `From: <a@${domainOf(partnerCase)}>\r\nSubject: ${version}\r\n\r\n${text}`
  const reply = await waitForResult(async () => {
    const answer = await client.send(`a@${domainOf(partnerCase)}`, ['ann@ours.example'], content)
    if (answer.startsWith('250')) return answer
    await client.command('RSET')
    return null
  })
  client.close()
  return messageIdIn(reply)
}

const verdictOf = (trace: Trace) => {
  const [recipient] = trace.recipients
  assert.ok(recipient)
  return { state: recipient.state, ...recipient.verdict }
}

test('the decision of evaluate-policy about a client certificate agrees with POST /explain and with the reply at RCPT TO', async (t) => {
  for (const id of connectors.values())
    await api.change(`/inbound-connectors/${id}`, { onViolation: 'Defer' })
  const messages = await Promise.all(
    cases.flatMap((partnerCase) =>
      versions.map(async (version) => ({ partnerCase, version, id: await sendHeld(partnerCase, version) })),
    ),
  )

  for (const { partnerCase, version, id } of messages)
    await t.test(
      `with onViolation Defer, mail of the case ${partnerCase.name} over ${version} is ${partnerCase.refused ? 'held' : 'delivered'}`,
      async () => {
        const verdict = verdictOf(await api.settled(id))
        const prediction = await predictDecision(partnerCase, version)
        assert.deepEqual(
          [verdict.explanation, verdict.considered],
          [prediction.verdict.explanation, prediction.considered],
        )
        if (partnerCase.refused === null)
          return assert.deepEqual([verdict.state, verdict.reply], ['Delivered', null])
        assert.deepEqual([verdict.state, verdict.reply], ['Deferred', heldReply])
        assert.match(verdict.explanation, partnerCase.refused.faults)
      },
    )

  for (const id of connectors.values())
    await api.change(`/inbound-connectors/${id}`, { onViolation: 'Bounce' })
  for (const { partnerCase, version, id } of messages.filter(
    ({ partnerCase }) => partnerCase.refused !== null,
  ))
    await t.test(
      `with onViolation Bounce, held mail of the case ${partnerCase.name} over ${version} bounces`,
      async () => {
        await api.call('POST', `/messages/${id}/retry`)
        const verdict = verdictOf(await api.settled(id, ['Bounced']))
        assert.equal(verdict.reply, partnerCase.refused?.inSession)
        const prediction = await predictDecision(partnerCase, version)
        assert.equal(prediction.verdict.reply, verdict.reply)
        assert.equal(prediction.verdict.explanation, verdict.explanation)
      },
    )

  await t.test('each DSN contains the reply at RCPT TO', async () => {
    const bounced = messages.filter(({ partnerCase }) => partnerCase.refused !== null)
    for (const { partnerCase } of bounced) {
      const dsns = await waitForResult(() => {
        const received = partners.received.filter(({ recipients }) =>
          recipients.includes(`RCPT TO:<a@${domainOf(partnerCase)}>`),
        )
        return received.length === versions.length ? received : null
      })
      for (const { content } of dsns)
        assert.ok(
          content
            .toString('latin1')
            .replaceAll(/\r\n[ \t]+/g, ' ')
            .includes(`Diagnostic-Code: smtp; ${partnerCase.refused?.inSession}`),
        )
    }
  })
})
