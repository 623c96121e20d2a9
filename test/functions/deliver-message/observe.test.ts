import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Metrics } from '@aws-lambda-powertools/metrics'
import type { Delivery } from '../../../functions/deliver-message/deliver-job.ts'
import { countDelivery, protectionOf } from '../../../functions/deliver-message/observe.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import { type Attempt, untried } from '../../../shared/contract/message.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { attempt } from '../../support/fixtures.ts'

const byMx: DeliveryJob['route'] = { kind: 'Mx', domain: 'partner.example' }
const bySes: DeliveryJob['route'] = { kind: 'Ses' }
const forced = { ...opportunistic, level: 'EncryptionOnly' } as const
const session = (verified: boolean): Attempt['tls'] => ({
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: null,
  verified,
  notVerified: null,
  fingerprint256: null,
})

describe('a delivery counts as', () => {
  const rows: [string, DeliveryJob['route'], DeliveryJob['tls'], Attempt['tls']][] = [
    ['verified', byMx, forced, session(true)],
    ['encrypted', byMx, opportunistic, session(false)],
    ['plaintext', byMx, opportunistic, null],
    ['encrypted', bySes, forced, null],
    ['unknown', bySes, opportunistic, null],
    ['unknown', bySes, { ...forced, mode: 'ReportOnly' }, null],
  ]
  for (const [counted, route, tls, attempt] of rows)
    it(`${counted} by ${route.kind}, ${tls.level} ${tls.mode}, ${attempt ? 'over TLS' : 'no session shown'}`, () =>
      assert.equal(protectionOf({ tls: attempt }, { route, tls }), counted))
})

describe('an attempt that came to nothing for want of a client certificate', () => {
  const named = (attempts: Partial<Attempt>[]) => {
    const metrics = new Metrics({ namespace: 'mailflow', serviceName: 'deliver-message' })
    const delivery: Delivery = {
      tried: attempts.map((fields) => ({
        recipient: untried('b@partner.example'),
        attempt: attempt(fields),
      })),
      known: [],
      leasesExpired: 0,
      unwritten: [],
      handedBack: 0,
      postponed: null,
      busy: [],
    }
    const counts: Record<string, number> = {}
    metrics.addMetric = (name, _unit, value) => {
      counts[name] = value
      return metrics
    }
    countDelivery(metrics, { route: byMx, tls: forced } as DeliveryJob, delivery)
    return counts.ClientCertificatesUnusable
  }
  const ours = { code: 451, enhanced: '4.3.5', text: 'Client certificate "northwind" is not to be had' }

  it('is counted, and not what a host says in the same words', () => {
    assert.equal(
      named([
        { host: null, reply: ours },
        { host: null, reply: ours },
      ]),
      2,
    )
    assert.equal(named([{ host: 'mx.partner.example', reply: ours }]), undefined)
    assert.equal(named([{ host: null, reply: { ...ours, enhanced: '4.4.312' } }]), undefined)
  })
})

describe('a message that was sent whole and never answered', () => {
  const counted = (attempts: Partial<Attempt>[]) => {
    const metrics = new Metrics({ namespace: 'mailflow', serviceName: 'deliver-message' })
    const delivery: Delivery = {
      tried: attempts.map((fields) => ({
        recipient: untried('a@partner.example'),
        attempt: attempt(fields),
      })),
      known: [],
      leasesExpired: 0,
      unwritten: [],
      handedBack: 0,
      postponed: null,
      busy: [],
    }
    countDelivery(metrics, { route: byMx, tls: opportunistic } as DeliveryJob, delivery)
    const { RepliesLost = 0, AttemptsFailed = 0 } = metrics.serializeMetrics() as Record<string, unknown>
    metrics.clearMetrics()
    return { RepliesLost, AttemptsFailed }
  }
  const failed = { outcome: 'TemporaryFailure' } as const

  it('is counted, since the next attempt may be a second copy', () =>
    assert.deepEqual(counted([{ ...failed, unanswered: true }, failed]), {
      RepliesLost: 1,
      AttemptsFailed: 2,
    }))

  it('is not counted where there is none', () =>
    assert.deepEqual(counted([failed]), { RepliesLost: 0, AttemptsFailed: 1 }))
})
