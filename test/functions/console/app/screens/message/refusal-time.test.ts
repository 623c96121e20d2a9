import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ulid } from 'ulid'
import { periodOfRefusal } from '../../../../../../functions/console/app/screens/message/refusal-time.ts'

describe('the period of a refusal', () => {
  test('contains the time of its id, and the minute before', () => {
    assert.deepEqual(periodOfRefusal(ulid(Date.parse('2026-02-20T12:00:00.500Z'))), {
      from: '2026-02-20T11:59:00.500Z',
      to: '2026-02-20T12:00:01.500Z',
    })
  })

  for (const id of ['', 'JsdZg-mkJ6MM1oXzczia_A', '8ZZZZZZZZZZZZZZZZZZZZZZZZZ'])
    test(`is unknown for "${id}"`, () => {
      assert.equal(periodOfRefusal(id), null)
    })
})
