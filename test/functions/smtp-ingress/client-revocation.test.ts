/** Revoked client certificates, from the handshake to the job. */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import type { RevocationCheck } from '../../../shared/contract/revocation.ts'
import { RevocationChecker } from '../../../shared/net/revocation/checker.ts'
import { noStore } from '../../../shared/net/revocation/revocation-store.ts'
import { evaluateInbound } from '../../../shared/policy/inbound.ts'
import { fakeResolver } from '../../support/dns.ts'
import { inbound, snapshot } from '../../support/fixtures.ts'
import { startTestIngress, type TestIngress, Wire } from '../../support/ingress/ingress.ts'
import type { Identity } from '../../support/pki.ts'
import { type RevocationAuthority, startRevocationAuthority } from '../../support/revocation-authority.ts'
import { within } from '../../support/within.ts'

let authority: RevocationAuthority
let connectors: InboundConnector[]
let ingress: TestIngress
const identities: Record<'good' | 'revoked' | 'unknown' | 'onPremises', Identity> = {} as never

before(async () => {
  authority = await startRevocationAuthority()
  for (const name of ['good', 'revoked'] as const)
    identities[name] = await authority.issue({ names: ['mail.bank.example'] })
  identities.unknown = await authority.issue({ names: ['mail.unknown.example'] })
  identities.onPremises = await authority.issue({ names: ['mailbox.ours.example'] })
  authority.revoke(identities.revoked.cert, { at: new Date('2026-03-04T05:06:07Z'), reason: 1 })
  const partner = (domain: string, fields: Partial<InboundConnector>) =>
    inbound({
      name: domain,
      senderDomains: [`${domain}.example`],
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.bank.example'],
      certificateAuthorities: [authority.root.ca],
      ...fields,
    })
  connectors = [
    ...(['None', 'SoftFail', 'HardFail'] satisfies RevocationCheck[]).map((revocationCheck) =>
      partner(revocationCheck.toLowerCase(), { revocationCheck }),
    ),
    partner('held', { onViolation: 'Defer' }),
    partner('reporting', { mode: 'ReportOnly' }),
    inbound({
      name: 'Own servers',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      tlsSenderCertificateNames: ['mailbox.ours.example'],
      certificateAuthorities: [authority.root.ca],
      revocationCheck: 'HardFail',
    }),
  ]
})
after(() => authority.stop())

beforeEach(async () => {
  authority.setBehaviour({ ocsp: 'Honest', crl: 'Honest' })
  authority.requests.length = 0
  const checker = new RevocationChecker({
    resolver: fakeResolver({}),
    privateNetworks: authority.networks,
    store: noStore,
    now: () => new Date(),
  })
  ingress = await startTestIngress({
    acceptedDomains: ['accepted.example'],
    inbound: connectors,
    revocation: checker,
  })
})
afterEach(() => ingress.drain())

async function openSession(identityName: keyof typeof identities | null): Promise<Wire> {
  const wire = await Wire.greet(ingress.smtpPort)
  await wire.startTls(identityName ? identities[identityName] : {})
  return wire
}

async function sendRcpt(wire: Wire, domain: string, to = 'b@accepted.example'): Promise<string> {
  await wire.command('RSET')
  await wire.command(`MAIL FROM:<a@${domain}.example>`)
  return wire.command(`RCPT TO:<${to}>`)
}

/** @returns the job of an accepted message */
async function job(wire: Wire, domain: string) {
  await wire.command('RSET')
  assert.match(
    await wire.send('Subject: x\r\n', `a@${domain}.example`, ['b@accepted.example']),
    /^250 /,
    domain,
  )
  const lastJob = ingress.queue.jobs.at(-1)
  assert.ok(lastJob)
  return lastJob.message
}

const restricted = '550 5.7.51 Sender domain is restricted to its own servers'

describe('a client whose certificate is revoked', () => {
  for (const revocationCheck of ['SoftFail', 'HardFail'])
    it(`is refused by a connector with revocationCheck ${revocationCheck}, and the log gives the reason`, async () => {
      const wire = await openSession('revoked')
      assert.equal(await sendRcpt(wire, revocationCheck.toLowerCase()), restricted)
      const line = await ingress.logged('refused')
      assert.match(
        String(line.explanation),
        /: revoked \(CN=mail\.bank\.example: revoked on 2026-03-04T05:06:07\.000Z: keyCompromise\)\.$/,
      )
      wire.destroy()
    })

  it('is accepted by a connector with revocationCheck None, and no CRL or OCSP request is sent', async () => {
    const wire = await openSession('revoked')
    assert.match(await sendRcpt(wire, 'none'), /^250 /)
    assert.deepEqual(authority.requests, [])
    wire.destroy()
  })

  it('is accepted by a connector with onViolation Defer, and evaluation of the job finds the violation', async () => {
    const wire = await openSession('revoked')
    const { tls, envelope, source } = await job(wire, 'held')
    assert.equal(tls.clientCertificate?.revocation?.status, 'Revoked')
    const evaluation = evaluateInbound(snapshot({ inbound: connectors }), {
      ip: source?.ip ?? '',
      tls,
      mailFrom: envelope.mailFrom,
      at: new Date(),
    })
    assert.equal(evaluation.violation?.reason, 'InboundCertificateRestriction')
    wire.destroy()
  })

  it('is accepted by a report-only connector, and evaluation of the job reports the violation', async () => {
    const wire = await openSession('revoked')
    const { tls } = await job(wire, 'reporting')
    const evaluation = evaluateInbound(snapshot({ inbound: connectors }), {
      ip: '192.0.2.1',
      tls,
      mailFrom: 'a@reporting.example',
      at: new Date(),
    })
    assert.match(evaluation.reportedViolation?.explanation ?? '', /: revoked \(/)
    wire.destroy()
  })

  it('causes a notice without a proposed change of the connector', async () => {
    const wire = await openSession('revoked')
    await sendRcpt(wire, 'softfail')
    const [notice] = ingress.notices.taken
    assert.match(notice?.why ?? '', /^revoked \(/)
    assert.deepEqual(notice?.remedies, [])
    wire.destroy()
  })
})

describe('a client without a usable CRL or OCSP response', () => {
  beforeEach(() => authority.setBehaviour({ ocsp: 'Busy', crl: 'Busy' }))

  it('is accepted by a connector with revocationCheck SoftFail, and job and log record the status Unknown', async () => {
    const wire = await openSession('good')
    const { tls } = await job(wire, 'softfail')
    assert.equal(tls.clientCertificate?.revocation?.status, 'Unknown')
    assert.match(tls.clientCertificate?.revocation?.detail ?? '', /tryLater/)
    const line = await ingress.logged('revocation check of a client certificate did not return Good')
    assert.deepEqual([line.status, line.connectors], ['Unknown', ['softfail']])
    wire.destroy()
  })

  it('is refused with 451 by a connector with revocationCheck HardFail, without a notice', async () => {
    const wire = await openSession('good')
    assert.equal(
      await sendRcpt(wire, 'hardfail'),
      '451 4.7.51 Cannot determine now whether the client certificate is revoked',
    )
    assert.deepEqual(ingress.notices.taken, [])
    wire.destroy()
  })

  it('gets 451 to relay through a connector with revocationCheck HardFail', async () => {
    const wire = await openSession('onPremises')
    assert.match(await sendRcpt(wire, 'ours', 'b@elsewhere.example'), /^451 4\.7\.51 /)
    wire.destroy()
  })

  it('may relay through a connector with revocationCheck HardFail as soon as OCSP responds', async () => {
    authority.setBehaviour({ ocsp: 'Honest' })
    const wire = await openSession('onPremises')
    assert.match(await sendRcpt(wire, 'ours', 'b@elsewhere.example'), /^250 /)
    wire.destroy()
  })

  it('waits once in a session for a silent responder, at most three seconds', async (context) => {
    authority.setBehaviour({ ocsp: 'Silent', crl: 'Silent' })
    const wire = await openSession('good')
    const threeSeconds: AbortController[] = []
    const { timeout } = AbortSignal
    context.mock.method(AbortSignal, 'timeout', (milliseconds: number) => {
      if (milliseconds !== 3000) return timeout.call(AbortSignal, milliseconds)
      const controller = new AbortController()
      threeSeconds.push(controller)
      return controller.signal
    })
    const firstReply = sendRcpt(wire, 'softfail')
    const waitForRequest = async () => {
      while (authority.requests.length === 0) await new Promise(setImmediate)
    }
    await within(10_000, waitForRequest(), 'a request')
    const nextTurn = new Promise(setImmediate).then(() => 'waiting')
    assert.equal(await Promise.race([firstReply, nextTurn]), 'waiting')
    assert.equal(threeSeconds.length, 1)
    threeSeconds[0]?.abort(new DOMException('three seconds have passed', 'TimeoutError'))
    assert.match(await firstReply, /^250 /)
    assert.match(await sendRcpt(wire, 'softfail'), /^250 /)
    assert.match(await sendRcpt(wire, 'reporting'), /^250 /)
    assert.equal(threeSeconds.length, 1)
    wire.destroy()
  })
})

describe('no CRL or OCSP request is sent', () => {
  it('about an untrusted certificate, whatever its names', async () => {
    const wire = await openSession('unknown')
    assert.equal(await sendRcpt(wire, 'softfail'), restricted)
    const { tls } = await job(wire, 'elsewhere')
    assert.equal(tls.clientCertificate?.revocation, undefined)
    assert.deepEqual(authority.requests, [])
    wire.destroy()
  })

  it('about a partner\u2019s certificate when the mail is from a domain without a connector', async () => {
    const wire = await openSession('good')
    await job(wire, 'elsewhere')
    assert.deepEqual(authority.requests, [])
    wire.destroy()
  })

  it('before RCPT TO', async () => {
    const wire = await openSession('good')
    await wire.command('MAIL FROM:<a@softfail.example>')
    assert.deepEqual(authority.requests, [])
    assert.match(await wire.command('RCPT TO:<b@accepted.example>'), /^250 /)
    assert.ok(authority.requests.length > 0)
    wire.destroy()
  })

  it('a second time in one session, whichever connectors apply', async () => {
    const wire = await openSession('good')
    for (const domain of ['softfail', 'hardfail', 'softfail'])
      assert.match(await sendRcpt(wire, domain), /^250 /, domain)
    assert.equal(authority.requests.filter((path) => path.includes('issuing')).length, 1)
    wire.destroy()
  })
})
