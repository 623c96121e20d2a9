/** Notices of unknown certificates whose mail is refused in session. The session never waits for them. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { UnknownCertificateNotifier } from '../../../../functions/smtp-ingress/session-policy/unknown-certificate-notifier.ts'
import type { InboundConnector } from '../../../../shared/connectors/schema.ts'
import { evaluateInbound } from '../../../../shared/policy/inbound.ts'
import { inbound, overTlsWith, receivedAt, snapshot } from '../../../support/fixtures.ts'
import { startTestIngress, type TestIngress, Wire } from '../../../support/ingress/ingress.ts'
import { fingerprintOf, type Identity, selfSigned } from '../../../support/pki.ts'

const running = new Set<TestIngress>()

async function ingressFor(fields: Partial<InboundConnector> = {}): Promise<TestIngress> {
  const connector = inbound({
    restrictDomainsToCertificate: true,
    certificateFingerprints: ['ab'.repeat(32)],
    ...fields,
  })
  const ingress = await startTestIngress({ inbound: [connector], at: new Date() })
  running.add(ingress)
  return ingress
}

afterEach(async () => {
  await Promise.all([...running].map((ingress) => ingress.drain()))
  running.clear()
})

const unrelated = await selfSigned({ names: ['mx1.contoso.example'] })
const refusalReply = '550 5.7.51 Sender domain is restricted to its own servers'

async function openWith({ smtpPort }: TestIngress, identity?: Identity): Promise<Wire> {
  const wire = await Wire.greet(smtpPort)
  await wire.startTls(identity ?? {})
  return wire
}

/** @returns the reply to RCPT */
async function sendRcpt(wire: Wire, from = 'a@contoso.example', to = 'b@ours.example'): Promise<string> {
  await wire.command('RSET')
  await wire.command(`MAIL FROM:<${from}>`)
  return wire.command(`RCPT TO:<${to}>`)
}

/** Stops the ingress. @returns the sum of this metric: without dimensions, or for the connector */
async function countOf(ingress: TestIngress, metric: string, connector?: string): Promise<number> {
  await ingress.drain()
  running.delete(ingress)
  const lines = ingress.lines.filter((line) => metric in line && line.connector === connector)
  return lines.reduce((sum, line) => sum + Number(line[metric]), 0)
}

test('four refusals of messages with the same unknown certificate cause one notice', async () => {
  const ingress = await ingressFor()
  for (let session = 0; session < 2; session++) {
    const wire = await openWith(ingress, unrelated)
    assert.equal(await sendRcpt(wire), refusalReply)
    assert.equal(await wire.command('RCPT TO:<c@ours.example>'), refusalReply)
    assert.equal(await sendRcpt(wire), refusalReply)
    wire.destroy()
  }
  assert.deepEqual(
    ingress.notices.taken.map(({ connector, presented, consequence, senderDomain, ip }) => [
      connector.name,
      presented.fingerprint256,
      consequence,
      senderDomain,
      ip,
    ]),
    [['Contoso', fingerprintOf(unrelated), 'RefusedInSession', 'contoso.example', '127.0.0.1']],
  )
  assert.deepEqual(ingress.queue.jobs, [])
  assert.equal(await countOf(ingress, 'UnknownCertificates'), 4)
})

test('a refusal for an unknown certificate is also counted in UnknownCertificates of the connector', async () => {
  const ingress = await ingressFor()
  const wire = await openWith(ingress, unrelated)
  await sendRcpt(wire)
  wire.destroy()
  assert.equal(await countOf(ingress, 'UnknownCertificates', 'Contoso'), 1)
})

const withoutNotice: [string, Partial<InboundConnector>, Identity | undefined, reply: string][] = [
  ['without a certificate', {}, undefined, refusalReply],
  [
    'with a certificate that the connector names',
    { certificateFingerprints: [fingerprintOf(unrelated)] },
    unrelated,
    '250 2.1.5 Accepted',
  ],
  [
    'whose mail is accepted and held: evaluate-policy sends the notice',
    { onViolation: 'Defer' },
    unrelated,
    '250 2.1.5 Accepted',
  ],
]
for (const [name, fields, identity, reply] of withoutNotice)
  test(`no notice of an unknown certificate is sent for a session ${name}`, async () => {
    const ingress = await ingressFor(fields)
    const wire = await openWith(ingress, identity)
    assert.equal(await sendRcpt(wire), reply)
    wire.destroy()
    assert.deepEqual(ingress.notices.taken, [])
  })

test('a notice is sent when relay is refused to the organisation\u2019s server because its certificate is untrusted', async () => {
  const ingress = await ingressFor({
    name: 'Ours',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    restrictDomainsToCertificate: false,
    certificateFingerprints: [],
    tlsSenderCertificateNames: ['mail.ours.example'],
  })
  const wire = await openWith(ingress, await selfSigned({ names: ['mail.ours.example'] }))
  assert.equal(
    await sendRcpt(wire, 'a@ours.example', 'b@elsewhere.example'),
    '550 5.7.64 Relay access denied',
  )
  wire.destroy()
  assert.deepEqual(
    ingress.notices.taken.map(({ connector, consequence }) => [connector.name, consequence]),
    [['Ours', 'RelayDenied']],
  )
})

test('25 messages, each with another unknown certificate, cause ten notices, and every message is refused', async () => {
  const ingress = await ingressFor()
  const identities = await Promise.all(
    Array.from({ length: 25 }, () => selfSigned({ names: ['flood.example'] })),
  )
  for (const identity of identities) {
    const wire = await openWith(ingress, identity)
    assert.equal(await sendRcpt(wire), refusalReply)
    wire.destroy()
  }
  assert.equal(ingress.notices.taken.length, 10)
  assert.equal(await countOf(ingress, 'UnknownCertificates'), 25)
})

test('the client gets its reply while the queue of notices does not respond', async () => {
  const ingress = await ingressFor()
  ingress.notices.before = () => new Promise(() => {})
  const wire = await openWith(ingress, unrelated)
  assert.equal(await sendRcpt(wire), refusalReply)
  assert.equal(await sendRcpt(wire, 'a@elsewhere.example'), '250 2.1.5 Accepted')
  wire.destroy()
})

test('a notice that the queue refuses is logged and counted in NoticesFailed; the next refused message causes a notice', async () => {
  const ingress = await ingressFor()
  ingress.notices.before = () => Promise.reject(new Error('the queue is away'))
  const wire = await openWith(ingress, unrelated)
  assert.equal(await sendRcpt(wire), refusalReply)
  const line = await ingress.logged('the notice of an unknown certificate could not be sent')
  assert.deepEqual([line.level, line.connector], ['warn', 'Contoso'])
  ingress.notices.before = async () => {}
  assert.equal(await sendRcpt(wire), refusalReply)
  wire.destroy()
  assert.equal(ingress.notices.taken.length, 1)
  assert.equal(await countOf(ingress, 'NoticesFailed'), 1)
})

test('an exception while sending a notice is logged, and not thrown to the session', async () => {
  const logged = Promise.withResolvers<unknown[]>()
  const failingQueue = { send: () => assert.fail('no such thing') }
  const notifier = new UnknownCertificateNotifier(failingQueue, new Metrics(), (...line) =>
    logged.resolve(line),
  )
  const rules = snapshot({
    inbound: [inbound({ restrictDomainsToCertificate: true, certificateFingerprints: ['cd'.repeat(32)] })],
  })
  const session = { ip: '192.0.2.1', tls: overTlsWith(), mailFrom: 'a@contoso.example', at: receivedAt }
  notifier.notifyRefusal(rules, session, evaluateInbound(rules, session))
  assert.deepEqual(await logged.promise, [
    'warn',
    'the notice of an unknown certificate could not be sent',
    { connector: null, cause: 'AssertionError: no such thing' },
  ])
})
