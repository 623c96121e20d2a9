/** Dry runs have the results of real mail, end to end. `npm run test:dry-run` takes more mail and more changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProof } from './dry-run/proof.ts'

test('what a dry run says of recorded mail happens when the same mail is sent after the change', {
  timeout: 600_000,
}, async () => {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  const { rows, differences, recipients } = await runProof({ messages: 60, changes: 3, seed: 1, print })
  assert.deepEqual(differences, [])
  assert.equal(rows.length, 4)
  for (const { equal, changed, title } of rows) {
    assert.ok(equal > 0.9 * recipients, lines.join('\n'))
    assert.equal(changed > 0, title !== 'no change')
  }
})
