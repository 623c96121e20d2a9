/**
 * Tests revoked certificates end to end, for a partner that sends and a partner that receives. Their authority serves
 * CRLs and OCSP responses. The tests check the gateway's queries, its replies and the trace.
 */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  SmtpClient,
  startRunner,
  type Trace,
  waitForResult,
} from '../support/local/runner.ts'
import type { Identity } from '../support/pki.ts'
import { type RevocationAuthority, startRevocationAuthority } from '../support/revocation-authority.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

const names = ['mail.bank.example']

let authority: RevocationAuthority
let runner: RunnerProcess
let api: Api
let mailboxes: Partner
const servers: Partner[] = []
const sending: Record<'good' | 'revoked', Identity> = {} as never

before(
  async () => {
    authority = await startRevocationAuthority()
    for (const status of ['good', 'revoked'] as const) sending[status] = await authority.issue({ names })
    authority.revoke(sending.revoked.cert, { at: new Date('2026-03-04T05:06:07Z'), reason: 1 })
    mailboxes = await startPartner()
    for (const which of ['good', 'revoked'] as const)
      servers.push(await startPartner({ tls: sending[which] }))
    runner = await startRunner(zone())
    api = new Api(runner.endpoints)
    await setUpMailboxServer(api, mailboxes)
    await api.create('inbound', {
      name: 'Our server',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['127.0.0.1'],
    })
    for (const [domain, revocationCheck] of [
      ['bank.example', 'SoftFail'],
      ['strict.example', 'HardFail'],
    ])
      await api.create('inbound', {
        name: `From ${domain}`,
        connectorType: 'Partner',
        senderDomains: [domain],
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: names,
        certificateAuthorities: [authority.root.ca],
        revocationCheck,
      })
    for (const domain of ['good.example', 'revoked.example'])
      await api.create('outbound', {
        name: `To ${domain}`,
        connectorType: 'Partner',
        recipientDomains: [domain],
        tlsSettings: 'DomainValidation',
        tlsDomain: names[0],
        certificateAuthorities: [authority.root.ca],
        revocationCheck: 'HardFail',
      })
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await Promise.all([mailboxes, ...servers, authority].map((server) => server?.stop()))
})

function zone() {
  const [good, revoked] = servers
  return {
    names: {
      'good.example': { MX: [[10, 'mx.good.example']] },
      'mx.good.example': { A: ['127.0.0.11'] },
      'revoked.example': { MX: [[10, 'mx.revoked.example']] },
      'mx.revoked.example': { A: ['127.0.0.12'] },
    },
    ports: { '127.0.0.11': `127.0.0.1:${good?.port}`, '127.0.0.12': `127.0.0.1:${revoked?.port}` },
  }
}

const content = 'Subject: x\r\n\r\nhello\r\n'

async function send(
  from: string,
  to: string,
  identity?: Identity,
): Promise<{ reply: string; queries: string[] }> {
  authority.requests.length = 0
  const client = await SmtpClient.open(runner.endpoints, identity ?? {})
  const reply = await client.send(from, [to], content)
  client.close()
  return { reply, queries: [...authority.requests] }
}

interface ReportedStatus {
  status: string
  detail: string
}
type Detailed = Trace & {
  tls: { clientCertificate: { revocation?: ReportedStatus } | null }
  recipients: { attempts: { tls: { revocation?: ReportedStatus } | null }[] }[]
}

test('mail from a partner whose certificate is revoked is refused in session', async () => {
  const { reply, queries } = await send('a@bank.example', 'ann@ours.example', sending.revoked)
  assert.equal(reply, '550 5.7.51 Sender domain is restricted to its own servers')
  assert.ok(queries.includes('POST /issuing/ocsp'), queries.join())
})

test('mail from a partner whose certificate is good is delivered, and the trace has the status Good', async () => {
  const { reply } = await send('a@bank.example', 'ann@ours.example', sending.good)
  const trace = (await api.settled(messageIdIn(reply), ['Delivered'])) as Detailed
  assert.deepEqual(trace.tls.clientCertificate?.revocation, { status: 'Good', detail: 'not revoked' })
})

test('the next session of a partner whose certificate is good causes no CRL or OCSP request', async () => {
  const { reply, queries } = await send('a@strict.example', 'ann@ours.example', sending.good)
  assert.match(reply, /^250 /)
  assert.deepEqual(queries, [])
})

test('mail from a partner whose revocation is undetermined gets 451 under HardFail, and is accepted under SoftFail', async () => {
  authority.setBehaviour({ ocsp: 'Busy', crl: 'Busy' })
  const unchecked = await authority.issue({ names })
  const strict = await send('a@strict.example', 'ann@ours.example', unchecked)
  assert.equal(strict.reply, '451 4.7.51 Cannot determine now whether the client certificate is revoked')
  const { reply } = await send('a@bank.example', 'ann@ours.example', unchecked)
  const trace = (await api.settled(messageIdIn(reply), ['Delivered'])) as Detailed
  assert.equal(trace.tls.clientCertificate?.revocation?.status, 'Unknown')
  authority.setBehaviour({ ocsp: 'Honest', crl: 'Honest' })
})

test('mail to a server whose certificate is revoked is deferred without MAIL FROM', async () => {
  const { reply } = await send('ann@ours.example', 'b@revoked.example')
  const trace = (await api.settled(messageIdIn(reply), ['Deferred'])) as Detailed
  const [recipient] = trace.recipients
  assert.equal(recipient?.verdict.reason, 'OutboundTlsNotMet')
  assert.match(
    recipient?.verdict.reply ?? '',
    /^451 4\.7\.320 Certificate is revoked: CN=mail\.bank\.example: revoked on 2026-03-04T05:06:07\.000Z: keyCompromise/,
  )
  assert.equal(recipient?.attempts[0]?.tls?.revocation?.status, 'Revoked')
  assert.ok(!servers[1]?.commands.some((line) => line.startsWith('MAIL')))
})

test('mail to a server whose certificate is good is delivered, and the trace has the status Good', async () => {
  const { reply } = await send('ann@ours.example', 'b@good.example')
  const trace = (await api.settled(messageIdIn(reply), ['Delivered'])) as Detailed
  assert.equal(trace.recipients[0]?.attempts[0]?.tls?.verified, true)
  assert.equal(trace.recipients[0]?.attempts[0]?.tls?.revocation?.status, 'Good')
  await waitForResult(() => (servers[0]?.received.length ? true : null))
})
