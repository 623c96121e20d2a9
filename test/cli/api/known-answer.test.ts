import assert from 'node:assert/strict'
import { test } from 'node:test'
import { knownAnswer } from '../../../cli/api/known-answer.ts'
import { Fault } from '../../../cli/faults.ts'
import { Explanation } from '../../../cli/trace/explanation.ts'

test('an answer of another version is named with what it lacks, and where', () => {
  const answer = { connectorsVersion: 1, clientCertificate: null, considered: [{}], recipients: 'none' }
  assert.throws(
    () => knownAnswer(Explanation, answer, 'explanation'),
    (error) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.message, 'the explanation is not one that this mailflow knows')
      assert.deepEqual(
        [error.lines[0], error.lines.length, error.lines.at(-1)],
        ['considered[0].direction: is required', 6, '--json shows it as it is.'],
      )
      return true
    },
  )
})
