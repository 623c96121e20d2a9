import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { type Emulators, startEmulators } from '../../../infra/local/aws/emulators.ts'
import { getObject, type ObjectStore, putObject } from '../../../shared/aws/object-store.ts'
import { createSnapshotObject } from '../../../shared/connectors-table/snapshot-object.ts'
import { inbound } from '../../support/fixtures.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test', sessionToken: 'token' }
let emulators: Emulators
let store: ObjectStore

before(async () => {
  emulators = await startEmulators(null)
  const { s3: endpoint } = emulators.endpoints
  const client = new S3Client({ endpoint, region: 'eu-west-1', credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: 'snapshots' }))
  client.destroy()
  store = {
    bucket: 'snapshots',
    region: async () => 'eu-west-1',
    credentials: async () => credentials,
    endpoint,
  }
})
after(() => emulators.close())

test('an object is read as it was written, in full, and replaced by the next write', async () => {
  for (const octets of [Buffer.alloc(3_000_000, 'ab'), Buffer.from([0, 255, 10])]) {
    await putObject(store, 'connectors', octets)
    assert.deepEqual(Buffer.from((await getObject(store, 'connectors')) ?? []), octets)
  }
})

test('an object that does not exist is null, and another refusal is an error with the answer', async () => {
  assert.equal(await getObject(store, 'absent'), null)
  const otherBucket = { ...store, bucket: 'unknown' }
  await assert.rejects(getObject(otherBucket, 'connectors'), /GetObject: 404 .*NoSuchBucket/s)
  await assert.rejects(putObject(otherBucket, 'connectors', Buffer.from('x')), /PutObject: 404/)
})

test('the snapshot of the connectors is read as it was written; what cannot be read is reported', async () => {
  const faults: Error[] = []
  const object = createSnapshotObject(store, (error) => faults.push(error))
  const set = { version: 7, at: '2026', inbound: [inbound()], outbound: [], acceptedDomains: [] }
  await object?.write(set)
  assert.deepEqual(await object?.read(), set)
  await putObject(store, 'connectors', Buffer.from('other'))
  assert.equal(await object?.read(), null)
  assert.equal(faults.length, 1)
})
