/** The key of hashed addresses, from the local runner's Secrets Manager. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { addressesReader, addressHashReader } from '../../../shared/events/address-hash-key.ts'
import { createAddressHash, mailboxOf } from '../../../shared/mail/address-hash.ts'
import { type FakeSecrets, startSecrets } from '../../support/fake-secrets.ts'
import { testAccount } from '../../support/lambda.ts'

const secretArn = 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:key-AbCdEf'
const key = 'k'.repeat(64)
const ann = mailboxOf('ann@ours.example')

let secrets: FakeSecrets
let client: SecretsManagerClient
before(async () => {
  secrets = await startSecrets()
  client = new SecretsManagerClient({ endpoint: secrets.url, ...testAccount, maxAttempts: 1 })
})
after(() => secrets.stop())
beforeEach(() => {
  secrets.requests = 0
  secrets.isAway = false
  secrets.keep('key', key)
})

describe('the key', () => {
  test('is read once', async () => {
    const read = addressHashReader(client, secretArn)
    const [hash] = await Promise.all([read(), read()])
    await read()
    assert.equal(hash?.(ann), createAddressHash(key)(ann))
    assert.equal(secrets.requests, 1)
  })

  test('is not read without a secret', async () => {
    assert.equal(await addressHashReader(client, undefined)(), null)
    assert.equal(secrets.requests, 0)
  })

  test('is read again after a failure', async () => {
    const read = addressHashReader(client, secretArn)
    secrets.isAway = true
    await assert.rejects(read())
    secrets.isAway = false
    assert.ok(await read())
  })

  for (const text of ['', 'short', 'k'.repeat(31)])
    test(`of ${text.length} characters is refused, and the error does not repeat it`, async () => {
      secrets.keep('key', text)
      await assert.rejects(addressHashReader(client, secretArn)(), ({ message }: Error) => {
        assert.equal(message, `the secret ${secretArn} has no key of at least 32 characters`)
        return true
      })
    })
})

test('a unit that stores events leaves the addresses of its environment plain', async () => {
  const environment = {
    ADDRESS_HASH_SECRET_ARN: secretArn,
    POSTMASTER_ADDRESS: 'it@ours.example',
    TLS_REPORT_ADDRESS: null,
  }
  const addresses = await addressesReader(client, environment)()
  const event = { sender: 'it@ours.example', recipient: 'ann@ours.example' }
  assert.deepEqual(addresses?.hashIn(event), {
    ...event,
    recipient: `${createAddressHash(key)(ann)}@ours.example`,
  })
  assert.equal(await addressesReader(client, { ...environment, ADDRESS_HASH_SECRET_ARN: undefined })(), null)
})
