/** The effects of recording an observed certificate: logs, metrics and events. No failure reaches the caller. */
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
import { newObservation, observedCertificate, observedEndpoint } from '../../support/observed.ts'

const compared = {
  fingerprint256: 'a'.repeat(64),
  publicKeyFingerprint256: null,
  issuer: 'CN=One',
  notAfter: receivedAt.toISOString(),
}
const changed = (...title: ObservedChange['what']): ObservedChange => ({
  at: receivedAt.toISOString(),
  what: title,
  from: compared,
  to: compared,
})

/** Records one certificate with a table that returns `result`, and collects logs, metrics and events. */
async function recordAndCollect(
  result: RecordResult | Error,
  { where = {}, publishFails = false }: { where?: Partial<ObservedEndpoint>; publishFails?: boolean } = {},
) {
  const effects: string[] = []
  const log = (level: string) => (message: string) => void effects.push(`${level}: ${message}`)
  const logger = { info: log('info'), warn: log('warn') } as unknown as Logger
  const metrics = {
    addMetric: (name: string) => void effects.push(name),
    singleMetric: () => metrics,
    clearDefaultDimensions() {},
    addDimensions: (dimensions: object) => void effects.push(JSON.stringify(dimensions)),
  } as unknown as Metrics
  const record = async () => {
    if (result instanceof Error) throw result
    return result
  }
  const publish = async () => {
    effects.push('event published')
    if (publishFails) throw new Error('away')
  }
  const observation = newObservation(observedCertificate('a'), receivedAt, where)
  await recordObservedCertificate(
    observation,
    receivedAt,
    { table: { record }, publish },
    { logger, metrics },
  )
  return effects
}

const results = [
  'info: Observed certificate changed',
  '{"stack":"Mailflow"}',
  '{"stack":"Mailflow","connector":"To the bank"}',
  'PartnerCertificatesChanged',
  'event published',
]

for (const [title, result, options, expected] of [
  ['that is observed for the first time', { kind: 'Written', change: null }, {}, []],
  ['that was recorded within the hour', { kind: 'Known' }, {}, []],
  [
    'that has another issuer than the one before',
    { kind: 'Written', change: changed('Issuer') },
    {},
    results,
  ],
  ['that has another key than the one before', { kind: 'Written', change: changed('Key') }, {}, results],
  [
    'that was renewed for the same key',
    { kind: 'Written', change: changed('Certificate') },
    {},
    ['info: Observed certificate changed'],
  ],
  [
    'of the organisation with another key',
    { kind: 'Written', change: changed('Key') },
    { where: { kind: 'Own' } },
    ['info: Observed certificate changed'],
  ],
  [
    'that was observed without a connector and has another issuer',
    { kind: 'Written', change: changed('Issuer') },
    { where: { connector: null } },
    ['info: Observed certificate changed'],
  ],
  [
    'that has another key, with an event that cannot be published,',
    { kind: 'Written', change: changed('Key') },
    { publishFails: true },
    [...results, 'warn: The event of a changed certificate could not be published'],
  ],
  [
    'of a host beyond the monthly limit',
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
] as [string, RecordResult | Error, Parameters<typeof recordAndCollect>[1], string[]][])
  test(`recordObservedCertificate for a certificate ${title} has ${expected.length === 0 ? 'no effect' : `the effects: ${expected.join(', ')}`}`, async () => {
    assert.deepEqual(await recordAndCollect(result, options), expected)
  })

test('the publisher of changes rejects when EventBridge refuses the event', async () => {
  const events = {
    send: async () => ({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'Throttled', ErrorMessage: 'slow' }] }),
  } as unknown as EventBridgeClient
  await assert.rejects(
    createChangePublisher(events)(observedEndpoint(), changed('Key'), AbortSignal.timeout(1000)),
    /^Error: Throttled: slow$/,
  )
})
