/** The rollups of the whole stack are exact while processes are killed, and a lost event is found (exactness/exactness.ts). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isExact, type Report, runExactness } from './exactness/exactness.ts'

const messages = 300

test(`the rollups of ${messages} messages are what clients and the partner counted, and a lost event is found`, {
  timeout: 600_000,
}, async (t) => {
  const report: Report = await runExactness(messages, 7)
  t.diagnostic(JSON.stringify(report))
  assert.deepEqual(
    report.comparisons.filter((comparison) => !isExact(comparison)),
    [],
  )
  assert.deepEqual(
    report.reports.filter(({ counted, report }) => counted !== report),
    [],
  )
  const { faults, late, duplicateEvents, missing, lost } = report
  assert.ok(faults.ingressKills > 0 && faults.workerKills > 0 && faults.duplicates > 0, 'the faults occurred')
  assert.ok(late.events > 0 && duplicateEvents > 0, 'events were late and came twice')
  assert.equal(missing, 0)
  assert.deepEqual([lost.missing, lost.metric, lost.samples], [1, 1, [lost.messageId]])
})
