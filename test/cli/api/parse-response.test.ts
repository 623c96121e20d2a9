import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseResponse } from '../../../cli/api/parse-response.ts'
import { CommandError } from '../../../cli/command-error.ts'
import { Explanation } from '../../../cli/trace/explanation.ts'

test('parsing an API response of another version throws an error that names each field that differs', () => {
  const answer = { connectorsVersion: 1, clientCertificate: null, considered: [{}], recipients: 'none' }
  assert.throws(
    () => parseResponse(Explanation, answer, 'explanation'),
    (error) => {
      assert.ok(error instanceof CommandError)
      assert.equal(
        error.message,
        'cannot read the explanation from the API: it differs from the schema of this version',
      )
      assert.deepEqual(
        [error.lines[0], error.lines.length, error.lines.at(-1)],
        ['considered[0].direction: is required', 6, 'Use --json to print the response unchanged.'],
      )
      return true
    },
  )
})
