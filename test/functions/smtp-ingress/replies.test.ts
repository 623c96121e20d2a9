/** docs/generated/replies.md lists every reply of the ingress. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documentedReplies, replySources } from '../../docs/replies.ts'

const ingress = join(import.meta.dirname, '../../../functions/smtp-ingress')

test('every reply of the ingress is made in a file that the generator of docs/generated/replies.md reads', () => {
  const makesReplies = globSync('**/*.ts', { cwd: ingress }).filter((file) =>
    /\b(?:reply|refusal)\(\s*(?:\d{3}|'\w+'),/.test(readFileSync(join(ingress, file), 'utf8')),
  )
  assert.deepEqual(makesReplies.toSorted(), replySources)
})

test('every refusal of the ingress has a comment that states when it is sent', () => {
  const uncommented = documentedReplies.filter(({ reply, when }) => reply.code >= 400 && when === '')
  assert.deepEqual(uncommented, [])
})

test('every reply of the ingress has an enhanced status code of the class of its reply code', () => {
  assert.ok(documentedReplies.length > 50)
  for (const { reply } of documentedReplies) assert.equal(reply.enhanced[0], String(reply.code)[0])
})
