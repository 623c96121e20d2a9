import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptDays, remainingParts, retentionParts } from '../../../shared/contract/remaining-retention.ts'

for (const retentionDays of [1, 7, 90, 400])
  test(`with ${retentionDays} days, rewritten events are kept for all of them, and for an eighth longer at most`, () => {
    for (let age = 0; age < retentionDays; age += retentionDays / 40) {
      const total = age + keptDays(remainingParts(age, retentionDays), retentionDays)
      assert.ok(total >= retentionDays, `${age}`)
      assert.ok(total <= retentionDays + retentionDays / retentionParts + 1, `${age}`)
    }
  })

test('events that are older than the retention are kept for one part', () => {
  assert.equal(remainingParts(120, 90), 1)
  assert.equal(remainingParts(-0.1, 90), 8)
})
