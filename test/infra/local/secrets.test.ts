import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CreatedSecrets } from '../../../infra/local/aws/secrets.ts'

const directory = mkdtempSync(join(tmpdir(), 'mailflow-secrets-'))
after(() => rmSync(directory, { recursive: true }))

test('a created secret survives a restart with its current version', () => {
  const secrets = new CreatedSecrets(directory)
  secrets.create('mailflow/tls', 'one')
  secrets.put('mailflow/tls', 'two', 'v2', ['AWSPENDING'])
  assert.equal(secrets.get('mailflow/tls')?.text, 'one')
  secrets.move('mailflow/tls', 'AWSCURRENT', 'v2', 'first')
  const again = new CreatedSecrets(directory)
  again.create('arn:aws:secretsmanager:us-east-1:000000000000:secret:mailflow/tls-AbCdEf', 'three')
  const { text, stages } = again.get('mailflow/tls') ?? {}
  assert.deepEqual([text, stages?.sort()], ['two', ['AWSCURRENT', 'AWSPENDING']])
  assert.equal(again.get('mailflow/tls', 'AWSPREVIOUS')?.text, 'one')
})

test('only the owner may read the file of a secret', () => {
  assert.equal(statSync(join(directory, 'mailflow%2Ftls.json')).mode & 0o077, 0)
})

test('a stage label of a secret moves only from the version that has it', () => {
  const secrets = new CreatedSecrets(null)
  secrets.create('x', 'one')
  secrets.put('x', 'two', 'v2', ['AWSPENDING'])
  secrets.put('x', 'three', 'v3', ['AWSPENDING'])
  secrets.move('x', 'AWSCURRENT', 'v3', 'first')
  for (const from of ['first', undefined])
    assert.throws(() => secrets.move('x', 'AWSCURRENT', 'v2', from), { name: 'InvalidParameterException' })
  assert.throws(() => secrets.move('x', 'AWSCURRENT', 'v4', 'v3'), { name: 'ResourceNotFoundException' })
  assert.equal(secrets.get('x')?.text, 'three')
})

test('a version of a secret accepts its value a second time and refuses another value', () => {
  const secrets = new CreatedSecrets(null)
  secrets.create('x', null)
  assert.equal(secrets.get('x'), null)
  assert.deepEqual(secrets.put('x', 'one', 'v1', ['AWSPENDING']).sort(), ['AWSCURRENT', 'AWSPENDING'])
  secrets.put('x', 'two', 'v2', undefined)
  secrets.put('x', 'one', 'v1', undefined)
  assert.equal(secrets.get('x')?.text, 'two')
  assert.throws(() => secrets.put('x', 'other', 'v1', undefined), { name: 'ResourceExistsException' })
})
