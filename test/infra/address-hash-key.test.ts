/** The secret with the key that hashes addresses in events, and who may read it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  encryptionKeyArn,
  type Json,
  onlyResource,
  resources,
  resourcesOfType,
  text,
  toList,
} from '../support/synthesis.ts'

const hashing = {
  hashEventAddresses: true,
  postmaster: 'it@theirs.example',
  tlsReportAddress: 'tls@ours.example',
}
const withoutHash = (value: string): string => value.replaceAll(/([a-z])[0-9A-F]{8}\b/g, '$1')

/** Grants that a setting adds. */
function addedGrants(mailflow: Record<string, unknown>, others: Record<string, unknown>): string[] {
  const grants = (settings: Record<string, unknown>) =>
    resourcesOfType('AWS::IAM::Policy', settings).flatMap(({ Properties }) =>
      Properties.PolicyDocument.Statement.map(({ Action, Resource, Condition }: Json) =>
        [
          Properties.Roles[0].Ref,
          toList<string>(Action).join(' '),
          toList<Json>(Resource).map(text).join(' '),
          ...(Condition ? [JSON.stringify(Condition)] : []),
        ].join(' '),
      ),
    )
  const before = new Set(grants(others))
  return grants(mailflow)
    .filter((grant) => !before.has(grant))
    .map(withoutHash)
    .sort()
}

/** Environment variables that the setting adds to functions. */
function addedVariables(): string[] {
  const variables = (settings: Record<string, unknown>) =>
    resourcesOfType('AWS::Lambda::Function', settings).flatMap(({ id, Properties }) =>
      Object.entries<Json>(Properties.Environment?.Variables ?? {}).map(
        ([name, value]) => `${withoutHash(id)} ${name}=${withoutHash(text(value))}`,
      ),
    )
  const before = new Set(variables({ ...hashing, hashEventAddresses: false }))
  return variables(hashing)
    .filter((variable) => !before.has(variable))
    .sort()
}

test('without the setting the stack has no such secret, and is that of the default', () => {
  assert.deepEqual(resourcesOfType('AWS::SecretsManager::Secret'), [])
  assert.deepEqual(resources({ hashEventAddresses: false }), resources())
})

test('CloudFormation generates the key, and the template does not have it', () => {
  const { Properties } = onlyResource('AWS::SecretsManager::Secret', hashing)
  assert.deepEqual(
    [Properties.SecretString, Properties.GenerateSecretString, Properties.KmsKeyId],
    [undefined, { PasswordLength: 64, ExcludePunctuation: true }, undefined],
  )
  const { Properties: encrypted } = onlyResource('AWS::SecretsManager::Secret', {
    ...hashing,
    encryptionKeyArn,
  })
  assert.equal(encrypted.KmsKeyId, encryptionKeyArn)
})

const readers = ['Erasure', 'EventApi', 'Recording', 'Sealing'].map((name) => `${name}Function`)

test('only the units that store, search and erase events may read the key', () => {
  assert.deepEqual(
    addedGrants(hashing, { ...hashing, hashEventAddresses: false }),
    readers.map((unit) => `${unit}Role secretsmanager:GetSecretValue <AddressHashKeySecret>`),
  )
  const through = { StringEquals: { 'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com' } }
  assert.deepEqual(
    addedGrants(
      { ...hashing, encryptionKeyArn },
      { ...hashing, hashEventAddresses: false, encryptionKeyArn },
    ),
    readers.flatMap((unit) => [
      `${unit}Role kms:Decrypt ${encryptionKeyArn} ${JSON.stringify(through)}`,
      `${unit}Role secretsmanager:GetSecretValue <AddressHashKeySecret>`,
    ]),
  )
})

test('these units know the secret, and those that store events the addresses that stay plain', () => {
  assert.deepEqual(
    addedVariables(),
    [
      ...readers.map((unit) => `${unit} ADDRESS_HASH_SECRET_ARN=<AddressHashKeySecret>`),
      ...['RecordingFunction', 'SealingFunction'].flatMap((unit) => [
        `${unit} POSTMASTER_ADDRESS=it@theirs.example`,
        `${unit} TLS_REPORT_ADDRESS=tls@ours.example`,
      ]),
    ].sort(),
  )
})
