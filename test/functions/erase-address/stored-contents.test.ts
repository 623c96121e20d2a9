import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { S3Client } from '@aws-sdk/client-s3'
import { StoredContents } from '../../../functions/erase-address/stored-contents.ts'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import { segmentReferences } from '../../../shared/content/segment-writer.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'
import { MemoryBucket } from '../../support/memory-storage.ts'

interface Command {
  constructor: { name: string }
  input: { Key: string; IfMatch?: string }
}

/** A bucket with entity tags and deletions. `beforePut` simulates another writer. */
function bucketOf(contents: readonly Buffer[]) {
  const bucket = new MemoryBucket()
  const references = segmentReferences('content', 'segments/1', contents)
  bucket.objects.set('segments/1', Buffer.concat(contents))
  const calls: string[] = []
  const meanwhile: { beforePut: (() => void) | null } = { beforePut: null }
  const etag = () => `"${bucket.objects.get('segments/1')?.toString('base64')}"`
  const client = {
    async send(command: Command) {
      const name = command.constructor.name.replace('ObjectCommand', '')
      calls.push(name)
      if (name === 'Delete') return bucket.objects.delete(command.input.Key)
      if (name === 'Put') {
        meanwhile.beforePut?.()
        if (command.input.IfMatch !== etag())
          throw Object.assign(new Error('other'), { name: 'PreconditionFailed' })
      }
      if (name === 'Put') return bucket.client.send(command as never)
      const octets = bucket.objects.get(command.input.Key)
      if (octets === undefined) throw Object.assign(new Error('no such key'), { name: 'NoSuchKey' })
      return { Body: { transformToByteArray: async () => Buffer.from(octets) }, ETag: etag() }
    },
  } as unknown as Pick<S3Client, 'send'>
  const reader = new ContentReader(bucket.client)
  return {
    bucket,
    references: references as [ContentReference, ...ContentReference[]],
    calls,
    meanwhile,
    client,
    reader,
  }
}

test('an object of one message is deleted', async () => {
  const { bucket, references, client } = bucketOf([Buffer.from('only')])
  assert.equal(await new StoredContents(client).erase(references[0]), true)
  assert.equal(bucket.objects.size, 0)
  assert.equal(await new StoredContents(client).erase(references[0]), false)
})

test('in a segment only the range of the message is overwritten', async () => {
  const contents = ['first', 'second', 'third'].map((text) => Buffer.from(text))
  const { bucket, references, client, reader, calls } = bucketOf(contents)
  const [first, second, third] = references as unknown as [
    ContentReference,
    ContentReference,
    ContentReference,
  ]
  assert.equal(await new StoredContents(client).erase(second), true)
  assert.equal(bucket.objects.get('segments/1')?.toString(), 'first      third')
  await assert.rejects(reader.read(second), { name: 'ContentErasedError' })
  assert.deepEqual([await reader.read(first), await reader.read(third)], [contents[0], contents[2]])
  calls.length = 0
  assert.equal(await new StoredContents(client).erase(second), false)
  assert.deepEqual(calls, ['Get'])
})

test('two erasures of one segment do not undo each other', async () => {
  const { bucket, references, client, meanwhile } = bucketOf([
    Buffer.from('one'),
    Buffer.from('two'),
    Buffer.from('three'),
  ])
  meanwhile.beforePut = () => {
    meanwhile.beforePut = null
    bucket.objects.set('segments/1', Buffer.from('   twothree'))
  }
  assert.equal(await new StoredContents(client).erase(references[1] as ContentReference), true)
  assert.equal(bucket.objects.get('segments/1')?.toString(), '      three')
})

test('a segment that always changes is an error, so that the erasure is repeated', async () => {
  const { bucket, references, client, meanwhile } = bucketOf([Buffer.from('one'), Buffer.from('two')])
  let count = 0
  meanwhile.beforePut = () => void bucket.objects.set('segments/1', Buffer.from(`${count++}netwo`))
  await assert.rejects(new StoredContents(client).erase(references[1] as ContentReference), /keeps changing/)
})
