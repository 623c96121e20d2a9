import 'reflect-metadata'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TlsRequirement } from '../../../../shared/contract/jobs.ts'
import type { RevocationCheck } from '../../../../shared/contract/revocation.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { BatchSessions } from '../../../../shared/net/batch-sessions.ts'
import { RevocationChecker } from '../../../../shared/net/revocation/checker.ts'
import { noStore } from '../../../../shared/net/revocation/revocation-store.ts'
import {
  deliverOverSmtp,
  type Outcome,
  type SessionRecord,
  type SmtpDeliveryOptions,
} from '../../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../../shared/policy/outbound.ts'
import { fakeResolver } from '../../../support/dns.ts'
import { message, recipient } from '../../../support/fixtures.ts'
import type { Identity } from '../../../support/pki.ts'
import {
  type Behaviour,
  type RevocationAuthority,
  startRevocationAuthority,
} from '../../../support/revocation-authority.ts'
import { simulateTimeouts } from '../../../support/simulated-timeouts.ts'
import { smtpOptions } from '../../../support/smtp-options.ts'
import { type Partner, startPartner } from '../../../support/smtp-partner.ts'
import { within } from '../../../support/within.ts'

const host = 'mx.partner.example'
const address = 'b@partner.example'
const content = Buffer.from('From: a@ours.example\r\n\r\nThe secret is 4711.\r\n')

let authority: RevocationAuthority
const identities: Record<'good' | 'revoked', Identity> = {} as never
before(async () => {
  authority = await startRevocationAuthority()
  identities.good = await authority.issue({ names: [host] })
  identities.revoked = await authority.issue({ names: [host] })
  authority.revoke(identities.revoked.cert, { at: new Date('2026-03-04T05:06:07Z'), reason: 1 })
})
after(() => authority.stop())

const resolver = fakeResolver({ a: { [host]: ['127.0.0.1'] } })

interface Case {
  certificate: 'good' | 'revoked'
  revocationCheck: RevocationCheck
  /** How the OCSP responders and the CRL server behave. */
  authorities?: Behaviour
  tls?: Partial<TlsRequirement>
  options?: Partial<SmtpDeliveryOptions>
  /** Called with the partner before the attempt. */
  onPartnerStart?: (partner: Partner) => void
}

interface AttemptResult {
  outcome: Outcome
  partner: Partner
  records: SessionRecord[]
  requests: string[]
}

/** Each attempt has a new checker. */
async function send({
  certificate,
  revocationCheck,
  authorities = 'Honest',
  tls,
  options,
  onPartnerStart,
}: Case): Promise<AttemptResult> {
  authority.setBehaviour({ ocsp: authorities, crl: authorities })
  authority.requests.length = 0
  const partner = await startPartner({ tls: identities[certificate] })
  onPartnerStart?.(partner)
  const records: SessionRecord[] = []
  const checker = new RevocationChecker({
    resolver,
    privateNetworks: authority.networks,
    store: noStore,
    now: () => new Date(),
  })
  try {
    const outcomes = await deliverOverSmtp(
      { kind: 'SmartHosts', hosts: [{ host, port: partner.port }] },
      {
        message: message(),
        recipients: [recipient({ address })],
        content,
        tls: {
          ...opportunistic,
          level: 'DomainValidation',
          tlsDomain: host,
          certificateAuthorities: [authority.root.ca],
          revocationCheck,
          ...tls,
        },
      },
      smtpOptions({
        checkRevocation: (chain, signal) => checker.checkSession(chain, signal),
        recordSession: (session) => records.push(session),
        ...options,
      }),
    )
    const outcome = outcomes.get(address)
    assert.ok(outcome)
    return { outcome, partner, records, requests: [...authority.requests] }
  } finally {
    await partner.stop()
  }
}

const nothingWasSent = ({ partner }: AttemptResult) => {
  assert.deepEqual(partner.received, [])
  assert.ok(!partner.commands.some((command) => /^(MAIL|RCPT|DATA)/.test(command)), partner.commands.join())
}

describe('A next hop', () => {
  for (const revocationCheck of ['SoftFail', 'HardFail'] as const) {
    it(`with a revoked certificate gets nothing under ${revocationCheck}`, async () => {
      const attemptResult = await send({ certificate: 'revoked', revocationCheck })
      assert.equal(attemptResult.outcome.outcome, 'TlsNotMet')
      assert.equal(
        formatReply(attemptResult.outcome.reply),
        `451 4.7.320 Certificate is revoked: CN=${host}: revoked on 2026-03-04T05:06:07.000Z: keyCompromise`,
      )
      assert.equal(attemptResult.outcome.tls?.verified, false)
      assert.equal(attemptResult.outcome.tls?.revocation?.status, 'Revoked')
      assert.deepEqual(
        attemptResult.records.map(({ result }) => result),
        ['certificate-not-trusted'],
      )
      nothingWasSent(attemptResult)
    })

    it(`with a good certificate gets the message under ${revocationCheck}`, async () => {
      const { outcome, partner } = await send({ certificate: 'good', revocationCheck })
      assert.equal(outcome.outcome, 'Delivered')
      assert.deepEqual(outcome.tls?.revocation, { status: 'Good', detail: 'not revoked' })
      assert.equal(outcome.tls?.verified, true)
      assert.equal(partner.received.length, 1)
    })
  }

  it('with undetermined revocation gets nothing under HardFail, and the reply has the reason', async () => {
    const attemptResult = await send({
      certificate: 'good',
      revocationCheck: 'HardFail',
      authorities: 'Busy',
    })
    assert.equal(attemptResult.outcome.outcome, 'TlsNotMet')
    assert.match(
      formatReply(attemptResult.outcome.reply),
      /^451 4\.7\.320 Cannot determine whether the certificate is revoked: CN=mx\.partner\.example: http:.* The responder answered tryLater/,
    )
    nothingWasSent(attemptResult)
  })

  it('with undetermined revocation gets the message under SoftFail, and the outcome has the status Unknown', async () => {
    const { outcome } = await send({ certificate: 'good', revocationCheck: 'SoftFail', authorities: 'Busy' })
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(outcome.tls?.verified, true)
    assert.equal(outcome.tls?.revocation?.status, 'Unknown')
    assert.match(outcome.tls?.revocation?.detail ?? '', /The server answered 503/)
  })

  it('gets the message under SoftFail after three seconds when the sources of revocation are silent', async (t) => {
    const clock = simulateTimeouts(t)
    let partner: Partner | undefined
    const sending = send({
      certificate: 'good',
      revocationCheck: 'SoftFail',
      authorities: 'Silent',
      onPartnerStart: (onPartnerStart) => {
        partner = onPartnerStart
      },
    })
    await authority.requested(2)
    clock.advance(1_000)
    await authority.requested(4)
    clock.advance(1_999)
    await delay(50)
    assert.deepEqual(
      partner?.commands.filter((command) => command.startsWith('MAIL')),
      [],
    )
    clock.advance(1)
    assert.equal((await within(4_000, sending, 'the delivery')).outcome.outcome, 'Delivered')
  })

  const withoutCheck: { condition: string; change: Partial<Case> }[] = [
    { condition: 'with revocationCheck None', change: { revocationCheck: 'None' } },
    { condition: 'under EncryptionOnly', change: { tls: { level: 'EncryptionOnly', tlsDomain: null } } },
    { condition: 'under Opportunistic', change: { tls: { level: 'Opportunistic', tlsDomain: null } } },
  ]
  for (const { condition, change } of withoutCheck)
    it(`with a revoked certificate gets the message ${condition}, without a revocation check`, async () => {
      const { outcome, requests } = await send({
        certificate: 'revoked',
        revocationCheck: 'HardFail',
        ...change,
      })
      assert.equal(outcome.outcome, 'Delivered')
      assert.equal(outcome.tls?.revocation, undefined)
      assert.deepEqual(requests, [])
    })

  it('with a certificate for another name gets nothing, without a revocation check', async () => {
    const tls = { tlsDomain: 'mx.other.example' }
    const attemptResult = await send({ certificate: 'revoked', revocationCheck: 'HardFail', tls })
    assert.equal(attemptResult.outcome.reply.enhanced, '4.7.325')
    assert.deepEqual(attemptResult.requests, [])
  })

  it('with a revoked certificate gets the message under a report-only connector, and the fault is reported', async () => {
    const { outcome } = await send({
      certificate: 'revoked',
      revocationCheck: 'SoftFail',
      tls: { mode: 'ReportOnly' },
    })
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(outcome.reportOnly?.enhanced, '4.7.320')
    assert.equal(outcome.tls?.verified, false)
  })

  it('that closes during the revocation check gets nothing, and the message is deferred', async () => {
    let partner: Partner | undefined
    const revocation = async () => {
      partner?.hangUp()
      await new Promise((resolve) => setTimeout(resolve, 200))
      return { status: 'Good' as const, detail: '' }
    }
    const attemptResult = await send({
      certificate: 'good',
      revocationCheck: 'SoftFail',
      options: { checkRevocation: revocation },
      onPartnerStart: (started) => {
        partner = started
      },
    })
    assert.equal(attemptResult.outcome.outcome, 'TemporaryFailure')
    assert.equal(attemptResult.outcome.reply.enhanced, '4.4.318')
    nothingWasSent(attemptResult)
  })

  it('gets nothing under HardFail when no revocation check is configured', async () => {
    const sessions = new BatchSessions()
    const open: SmtpDeliveryOptions['open'] = (hop, { checkRevocation, ...session }) =>
      sessions.open(hop, session)
    const attemptResult = await send({ certificate: 'good', revocationCheck: 'HardFail', options: { open } })
    assert.match(attemptResult.outcome.reply.text, /no revocation check is configured/)
    nothingWasSent(attemptResult)
    await sessions.close()
  })
})
