/** What a run leaves to the next when it is killed. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Dependencies,
  leaseMs,
  type SentSummary,
  sendSummaries,
} from '../../../functions/send-summary/send-summaries.ts'
import type { Summary } from '../../../functions/send-summary/summary-text.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb

before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const startedAt = Date.parse('2026-02-04T02:30:00Z')

/** @param afterMs milliseconds after the start of the killed run */
function runAt(afterMs: number, changes: Partial<Dependencies> = {}) {
  return sendSummaries('2026-02-03', {
    mailboxes: { Day: ['ann@ours.example'], Week: [] },
    claims: new Claims<SentSummary>(database.documents, database.transportTable),
    read: async () => ({ soFar: null }) as Summary,
    send: async () => {},
    waitsForSeals: true,
    now: () => new Date(startedAt + afterMs),
    onFailed: () => {},
    ...changes,
  })
}

test('the summary of a run that was killed while it sent is an error until the claim expires, and then sent once', async () => {
  await new Promise<void>((resolve) => {
    const send = () => {
      resolve()
      return new Promise<void>(() => {})
    }
    void runAt(0, { send })
  })
  const errors: unknown[] = []
  const onFailed = (error: unknown) => errors.push(error)
  const none = { sent: 0, alreadySent: 0, waiting: 0, failed: 0 }
  assert.deepEqual(await runAt(leaseMs, { onFailed }), { ...none, failed: 1 })
  assert.match(String(errors), /another run has claimed the summary/)
  assert.deepEqual(await runAt(leaseMs + 1), { ...none, sent: 1 })
  assert.deepEqual(await runAt(2 * leaseMs + 2), { ...none, alreadySent: 1 })
})
