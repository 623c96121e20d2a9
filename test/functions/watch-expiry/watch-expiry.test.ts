/** Runs of the expiry watch over many days with a real table: when notices are published, and that each is published once. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Dependencies,
  type SentNotice,
  watchExpiry,
} from '../../../functions/watch-expiry/watch-expiry.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import type { Announcement } from '../../../shared/queues/topic-publisher.ts'
import type { Observation } from '../../../shared/tls/observed/observation.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { outbound } from '../../support/fixtures.ts'
import { daysAfter, observation } from '../../support/observed.ts'

const start = new Date('2026-01-15T06:00:00.000Z')
let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

let watchCount = 0
/** A connector whose certificates are observed every day. */
function createWatch(daysToExpiry: readonly number[]) {
  const id = `c${watchCount++}`
  const published: string[] = []
  const failures: (string | null)[] = []
  const claims = new Claims<SentNotice>(database.documents, database.transportTable)
  const observationsAt = (now: Date): Observation[] =>
    daysToExpiry.map((days, index) =>
      observation(
        [
          {
            fingerprint256: index.toString(16).padStart(64, '0'),
            notAfter: daysAfter(days, start).toISOString(),
            lastSeen: now.toISOString(),
          },
        ],
        { connector: { id, name: 'To the bank' }, host: `mx${index}.bank.example` },
      ),
    )
  const watch = {
    published,
    failures,
    claims,
    isTopicUnavailable: false,
    async run(days: number, seconds = 0) {
      const now = new Date(daysAfter(days, start).getTime() + seconds * 1000)
      const dependencies: Dependencies = {
        published: async () => null,
        connectors: async () => ({
          inbound: [],
          outbound: [outbound({ id, name: 'To the bank', recipientDomains: ['bank.example'] })],
        }),
        recordServed: async () => assert.fail('no certificate of the ingress is published'),
        async *observations() {
          yield* observationsAt(now)
        },
        claims,
        async publish({ subject }: Announcement) {
          if (watch.isTopicUnavailable) throw new Error('the topic is away')
          published.push(subject)
          return 'n1'
        },
        logNotice: (_notice, failure) => void failures.push(failure?.message ?? null),
      }
      return watchExpiry(now, dependencies)
    },
    results: () => published.splice(0).map((subject) => /(\d+ days?|EXPIRED)/.exec(subject)?.[0]),
  }
  return watch
}

test('a certificate causes one notice each 30, 14 and 3 days before its expiry, although two runs take place each day', async () => {
  const watch = createWatch([40])
  const results: [day: number, daysText: string | undefined][] = []
  for (let day = 0; day <= 45; day++) {
    await watch.run(day)
    await watch.run(day, 3600)
    for (const daysText of watch.results()) results.push([40 - day, daysText])
  }
  assert.deepEqual(results, [
    [30, '30 days'],
    [14, '14 days'],
    [3, '3 days'],
  ])
})

test('a certificate causes one notice when no run took place 30, 14 and 3 days before its expiry', async () => {
  const watch = createWatch([40])
  await watch.run(0)
  await watch.run(38)
  await watch.run(39)
  assert.deepEqual(watch.results(), ['2 days'])
})

test('a repeated run publishes an expiry notice that the topic did not accept', async () => {
  const watch = createWatch([10.5])
  watch.isTopicUnavailable = true
  assert.equal((await watch.run(0)).failed, 1)
  watch.isTopicUnavailable = false
  // Lambda waits a minute before it repeats a run.
  assert.equal((await watch.run(0, 60)).published, 1)
  assert.equal((await watch.run(0, 120)).alreadyPublished, 1)
  assert.deepEqual([watch.results(), watch.failures], [['10 days'], ['the topic is away', null]])
})

test('an expiry notice is published again when its run crashed before it completed its claim', async () => {
  const watch = createWatch([10.5])
  const complete = watch.claims.complete
  watch.claims.complete = () => Promise.reject(new Error('died'))
  assert.equal((await watch.run(0)).failed, 1)
  watch.claims.complete = complete
  await watch.run(0, 60)
  assert.deepEqual(watch.results(), ['10 days', '10 days'])
})

test('a run publishes at most 50 expiry notices, the earliest expiry first; the next run publishes the others', async () => {
  const watch = createWatch(Array.from({ length: 60 }, (_, index) => 29.5 - index / 10))
  const first = await watch.run(0)
  assert.deepEqual([first.published, first.leftToNextRun], [50, 10])
  assert.equal(watch.results()[0], '23 days')
  const second = await watch.run(0, 60)
  assert.deepEqual([second.published, second.alreadyPublished, second.leftToNextRun], [10, 50, 0])
})
