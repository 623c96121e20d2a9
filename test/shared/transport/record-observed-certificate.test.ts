/** The results of an observed certificate. No failure reaches the caller. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { Metrics } from '@aws-lambda-powertools/metrics'
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import type { ObservedChange, ObservedEndpoint } from '../../../shared/tls/observed/observation.ts'
import { createChangePublisher } from '../../../shared/transport/change-events.ts'
import type { RecordResult } from '../../../shared/transport/observed-table.ts'
import { recordObservedCertificate } from '../../../shared/transport/record-observed-certificate.ts'
import { receivedAt } from '../../support/fixtures.ts'
import { newObservation, observedCertificate, place } from '../../support/observed.ts'

const compared = {
  fingerprint256: 'a'.repeat(64),
  publicKeyFingerprint256: null,
  issuer: 'CN=One',
  notAfter: receivedAt.toISOString(),
}
const changed = (...what: ObservedChange['what']): ObservedChange => ({
  at: receivedAt.toISOString(),
  what,
  from: compared,
  to: compared,
})

/** Notes one certificate with a table that returns `seen`, and collects logs, metrics and events. */
async function note(
  seen: RecordResult | Error,
  { where = {}, publishFails = false }: { where?: Partial<ObservedEndpoint>; publishFails?: boolean } = {},
) {
  const done: string[] = []
  const log = (level: string) => (message: string) => void done.push(`${level}: ${message}`)
  const logger = { info: log('info'), warn: log('warn') } as unknown as Logger
  const metrics = {
    addMetric: (name: string) => void done.push(name),
    singleMetric: () => metrics,
    clearDefaultDimensions() {},
    addDimensions: (dimensions: object) => void done.push(JSON.stringify(dimensions)),
  } as unknown as Metrics
  const see = async () => {
    if (seen instanceof Error) throw seen
    return seen
  }
  const print = async () => {
    done.push('told')
    if (publishFails) throw new Error('away')
  }
  const given = newObservation(observedCertificate('a'), receivedAt, where)
  await recordObservedCertificate(
    given,
    receivedAt,
    { table: { record: see }, publish: print },
    { logger, metrics },
  )
  return done
}

const results = [
  'info: Observed certificate changed',
  '{}',
  '{"connector":"To the bank"}',
  'PartnerCertificatesChanged',
  'told',
]

for (const [what, seen, options, expected] of [
  ['observed for the first time', { kind: 'Written', change: null }, {}, []],
  ['recorded before', { kind: 'Known' }, {}, []],
  ['of another issuer', { kind: 'Written', change: changed('Issuer') }, {}, results],
  ['of another key', { kind: 'Written', change: changed('Key') }, {}, results],
  [
    'that was renewed for the same key',
    { kind: 'Written', change: changed('Certificate') },
    {},
    ['info: Observed certificate changed'],
  ],
  [
    'of the organisation itself',
    { kind: 'Written', change: changed('Key') },
    { where: { kind: 'Own' } },
    ['info: Observed certificate changed'],
  ],
  [
    'without a connector',
    { kind: 'Written', change: changed('Issuer') },
    { where: { connector: null } },
    ['info: Observed certificate changed'],
  ],
  [
    'whose event cannot be published',
    { kind: 'Written', change: changed('Key') },
    { publishFails: true },
    [...results, 'warn: The event of a changed certificate could not be published'],
  ],
  [
    'beyond the monthly limit',
    { kind: 'LimitReached' },
    {},
    ['warn: Observed certificate not recorded: too many new hosts this month'],
  ],
  [
    'that cannot be written',
    new Error('away'),
    {},
    ['CertificatesUnwritten', 'warn: Observed certificate could not be recorded'],
  ],
] as [string, RecordResult | Error, Parameters<typeof note>[1], string[]][])
  test(`for a certificate ${what}: ${expected.join(', ') || 'does nothing'}`, async () => {
    assert.deepEqual(await note(seen, options), expected)
  })

test('publishing rejects when EventBridge refuses the entry', async () => {
  const events = {
    send: async () => ({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'Throttled', ErrorMessage: 'slow' }] }),
  } as unknown as EventBridgeClient
  await assert.rejects(
    createChangePublisher(events)(place(), changed('Key'), AbortSignal.timeout(1000)),
    /^Error: Throttled: slow$/,
  )
})
