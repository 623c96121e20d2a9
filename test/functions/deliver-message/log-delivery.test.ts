import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Delivery } from '../../../functions/deliver-message/deliver-job.ts'
import {
  countDelivery,
  countSesQuota,
  protectionOf,
} from '../../../functions/deliver-message/log-delivery.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import { type Attempt, newRecipient } from '../../../shared/contract/message.ts'
import { UnitMetrics } from '../../../shared/lambda/unit-metrics.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { attempt } from '../../support/fixtures.ts'

const mxRoute: DeliveryJob['route'] = { kind: 'Mx', domain: 'partner.example' }
const sesRoute: DeliveryJob['route'] = { kind: 'Ses' }
const forced = { ...opportunistic, level: 'EncryptionOnly' } as const
const session = (verified: boolean): Attempt['tls'] => ({
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: null,
  verified,
  notVerified: null,
  fingerprint256: null,
})

describe('the protection that a delivery is counted with', () => {
  const rows: [string, DeliveryJob['route'], DeliveryJob['tls'], Attempt['tls']][] = [
    ['verified', mxRoute, forced, session(true)],
    ['encrypted', mxRoute, opportunistic, session(false)],
    ['plaintext', mxRoute, opportunistic, null],
    ['encrypted', sesRoute, forced, null],
    ['unknown', sesRoute, opportunistic, null],
    ['unknown', sesRoute, { ...forced, mode: 'ReportOnly' }, null],
  ]
  for (const [protection, route, tls, attempt] of rows)
    it(`is ${protection} with route ${route.kind}, ${tls.level} ${tls.mode}, and ${attempt === null ? 'no recorded TLS session' : `a TLS session with${attempt.verified ? '' : 'out'} a verified certificate`}`, () =>
      assert.equal(protectionOf({ tls: attempt }, { route, tls }), protection))
})

/** Returns the metrics of a delivery with these attempts; 0 for a metric that was not counted. */
function metricsOf(attempts: Partial<Attempt>[], ...names: string[]): unknown[] {
  return metricsOfDelivery({ newAttempts: attempts.map(attemptOf) }, names)
}

const attemptOf = (fields: Partial<Attempt>) => ({
  recipient: newRecipient('a@partner.example'),
  attempt: attempt(fields),
})

function metricsOfDelivery(
  fields: Partial<Delivery>,
  names: string[],
  job: Partial<DeliveryJob> = { route: mxRoute, tls: opportunistic },
): unknown[] {
  const metrics = new UnitMetrics({ namespace: 'mailflow', serviceName: 'deliver-message' })
  const delivery: Delivery = {
    newAttempts: [],
    earlierAttempts: [],
    unreported: [],
    leasesExpired: 0,
    writeErrors: [],
    returnedForDecision: 0,
    returnedToQueue: null,
    busyRecipients: [],
    ...fields,
  }
  countDelivery(metrics, job as DeliveryJob, delivery)
  const serialized = metrics.serializeMetrics() as Record<string, unknown>
  metrics.clearMetrics()
  metrics.publishStoredMetrics()
  return names.map((name) => serialized[name] ?? 0)
}

const failed = { outcome: 'TemporaryFailure' } as const

describe('a failed attempt is', () => {
  const reply = { code: 451, enhanced: '4.3.5', text: 'Client certificate "northwind" cannot be read' }
  const unusable = (fields: Partial<Attempt>) =>
    metricsOf([{ ...failed, ...fields }], 'ClientCertificatesUnusable')

  it('counted in ClientCertificatesUnusable with 4.3.5 and without a host', () =>
    assert.deepEqual(unusable({ host: null, reply }), [1]))

  it('not counted in ClientCertificatesUnusable when a host sent 4.3.5', () =>
    assert.deepEqual(unusable({ host: 'mx.partner.example', reply }), [0]))

  it('counted in SesUnavailable, not in ClientCertificatesUnusable, when Amazon SES refuses the account', () =>
    assert.deepEqual(
      metricsOf(
        [{ ...failed, host: 'Amazon SES', reply }, failed],
        'SesUnavailable',
        'ClientCertificatesUnusable',
      ),
      [1, 0],
    ))

  it('not counted in ClientCertificatesUnusable with another code and without a host', () =>
    assert.deepEqual(unusable({ host: null, reply: { ...reply, enhanced: '4.4.312' } }), [0]))
})

describe('the metric SesUnavailable', () => {
  const job = {
    route: sesRoute,
    tls: opportunistic,
    recipients: ['a', 'b'].map((name) => newRecipient(`${name}@partner.example`)),
  }
  for (const [reason, count] of [
    ['SesDailyQuota', 2],
    ['SesRate', 0],
  ] as const)
    it(`counts ${count} recipients of a job that returned because of ${reason}`, (context) => {
      context.mock.method(console, 'log', () => {})
      assert.deepEqual(metricsOfDelivery({ returnedToQueue: reason }, ['SesUnavailable'], job), [count])
    })
})

describe('the metric RepliesLost', () => {
  it('counts a failed attempt that sent the whole message and got no reply', () =>
    assert.deepEqual(
      metricsOf([{ ...failed, unanswered: true }, failed], 'RepliesLost', 'AttemptsFailed'),
      [1, 2],
    ))

  it('does not count a failed attempt that got a reply', () =>
    assert.deepEqual(metricsOf([failed], 'RepliesLost', 'AttemptsFailed'), [0, 1]))
})

/** Returns the objects in embedded metric format that contain the metric. */
function publishedRecords(context: TestContext, name: string, count: () => void): Record<string, unknown>[] {
  const log = context.mock.method(console, 'log', () => {})
  Object.assign(process.env, { POWERTOOLS_DEV: 'true', POWERTOOLS_METRICS_DISABLED: 'false' })
  count()
  return log.mock.calls.map(({ arguments: [line] }) => JSON.parse(line)).filter((record) => name in record)
}

describe('the metric DeliveredByTlsVersion', () => {
  const rows: [string, DeliveryJob['route'], Attempt['tls'], string][] = [
    ['a TLS 1.3 session', mxRoute, session(false), 'TLSv1.3'],
    ['a TLS 1.2 session', mxRoute, { ...session(true), protocol: 'TLSv1.2' } as Attempt['tls'], 'TLSv1.2'],
    ['a session in the clear', mxRoute, null, 'none'],
    ['Amazon SES', sesRoute, null, 'unknown'],
  ]
  for (const [name, route, tls, version] of rows)
    it(`counts a recipient delivered by ${name} as ${version}, and no failed attempt`, (context) => {
      const newAttempts = [{ outcome: 'Delivered', tls } as const, { ...failed, tls }].map(attemptOf)
      const records = publishedRecords(context, 'DeliveredByTlsVersion', () =>
        metricsOfDelivery({ newAttempts }, [], { route, tls: opportunistic }),
      )
      assert.deepEqual(
        records.map((record) => [record.version, record.DeliveredByTlsVersion]),
        [[version, 1]],
      )
    })
})

describe('the metric SesQuotaUsed', () => {
  const rows: [max24HourSend: number, sentLast24Hours: number, published: number[]][] = [
    [200, 50, [25]],
    [200, 200, [100]],
    [-1, 50, []],
  ]
  for (const [max24HourSend, sentLast24Hours, expected] of rows)
    it(`is [${expected}] when ${sentLast24Hours} of ${max24HourSend} recipients are sent`, (context) => {
      const metrics = new UnitMetrics({ namespace: 'mailflow', serviceName: 'deliver-message' })
      const records = publishedRecords(context, 'SesQuotaUsed', () =>
        countSesQuota(metrics, { max24HourSend, sentLast24Hours }),
      )
      assert.deepEqual(
        records.map(({ SesQuotaUsed }) => SesQuotaUsed),
        expected,
      )
    })
})
