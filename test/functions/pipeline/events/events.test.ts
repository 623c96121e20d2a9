/**
 * The events of many messages, while workers die, jobs come twice, requests are lost, connectors change and an
 * administrator retries. Each message is checked by itself, and the sums of all by the rollups. `npm run
 * simulate:events` does the same with more messages.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExactnessCheck, isExact } from './exactness.ts'
import { runMessage } from './message-run.ts'

const messages = 700

test(`the rollups of ${messages} messages are what clients and next hops counted, and lost events are found`, async (t) => {
  const check = new ExactnessCheck(7)
  for (let number = 0; number < messages; number++) await check.add(await runMessage(number))
  const { broken, comparisons, missing, lost, found, ...rest } = await check.result()
  t.diagnostic(JSON.stringify({ comparisons, ...rest }))
  assert.deepEqual(broken, [], broken.join('\n'))
  assert.deepEqual(
    comparisons.filter((comparison) => !isExact(comparison)),
    [],
  )
  const { duplicates, late } = rest.events
  assert.ok(duplicates > messages && late > messages / 10, JSON.stringify(rest))
  assert.equal(missing, 0)
  assert.equal(lost.length, 5)
  assert.deepEqual(found, lost)
})
