import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { defaultProvider } from '../../../shared/lambda/environment-credentials.ts'

const variables = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' }

function withEnvironment(changes: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries({ ...variables, ...changes }))
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
}

test('a client of the SDK gets the credentials of the environment', async () => {
  withEnvironment({})
  const client = new DynamoDBClient({ region: 'eu-west-1', credentialDefaultProvider: defaultProvider })
  const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials()
  assert.deepEqual([accessKeyId, secretAccessKey, sessionToken], ['key', 'secret', 'token'])
})

test('credentials without a session token have no such field', async () => {
  withEnvironment({ AWS_SESSION_TOKEN: undefined })
  assert.deepEqual(await defaultProvider()(), { accessKeyId: 'key', secretAccessKey: 'secret' })
})

for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
  test(`without ${name} there are no credentials`, async () => {
    withEnvironment({ [name]: undefined })
    await assert.rejects(defaultProvider()(), /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are required/)
  })
