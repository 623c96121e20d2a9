import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ContentErasedError,
  ContentMismatchError,
  ContentReader,
  isContentDeleted,
} from '../../../shared/content/content-reader.ts'
import { eraseContent } from '../../../shared/content/erased-content.ts'
import { SegmentWriter, sdkObjectStore, segmentReferences } from '../../../shared/content/segment-writer.ts'
import { MemoryBucket } from '../../support/memory-storage.ts'

test('any contents of a segment are read identical to what was written: as a whole, as a stream, and their first octets', async () => {
  const contents = fc.array(
    fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
    { minLength: 1 },
  )
  await fc.assert(
    fc.asyncProperty(contents, async (all) => {
      const bucket = new MemoryBucket()
      const references = await new SegmentWriter(sdkObjectStore(bucket.client, 'content'), 'content').write(
        all,
      )
      const reader = new ContentReader(bucket.client)
      assert.deepEqual(await Promise.all(references.map((reference) => reader.read(reference))), all)
      const streams = references.map(async (reference) => buffer(await reader.stream(reference)))
      assert.deepEqual(await Promise.all(streams), all)
      const starts = references.map((reference) => reader.readStart(reference, 100))
      assert.deepEqual(
        await Promise.all(starts),
        all.map((content) => content.subarray(0, 100)),
      )
      assert.equal(bucket.objects.size, 1)
    }),
    { numRuns: 50 },
  )
})

test('two segments never share a key', async () => {
  const keys: string[] = []
  const objects = { put: async (key: string) => void keys.push(key) }
  const writer = new SegmentWriter(objects, 'content')
  for (let count = 0; count < 1000; count++) await writer.write([])
  assert.equal(new Set(keys).size, 1000)
  for (const key of keys) assert.match(key, /^segments\/[0-9a-f]{2}\/[0-9A-HJKMNP-TV-Z]{26}$/)
})

test('the references of a segment have offset and length of each content', () => {
  const references = segmentReferences('b', 'k', [Buffer.from('one'), Buffer.from('three')])
  assert.deepEqual(
    references.map(({ offset, length }) => [offset, length]),
    [
      [0, 3],
      [3, 5],
    ],
  )
})

const damages: [name: string, damage: (object: Buffer) => Buffer, fault: RegExp][] = [
  ['changed', (object) => Buffer.from(object.map((octet) => octet ^ 1)), /SHA-256 differs$/],
  ['cut short', (object) => object.subarray(0, 3), /3 octets$/],
]

for (const [name, damage, fault] of damages)
  test(`reading stored content that was ${name} throws a ContentMismatchError`, async () => {
    const bucket = new MemoryBucket()
    const [reference] = await new SegmentWriter(sdkObjectStore(bucket.client, 'content'), 'content').write([
      Buffer.from('content'),
    ])
    assert.ok(reference)
    bucket.objects.set(reference.key, damage(bucket.objects.get(reference.key) ?? Buffer.alloc(0)))
    const reader = new ContentReader(bucket.client)
    const isMismatch = (error: Error) => error instanceof ContentMismatchError && fault.test(error.message)
    await assert.rejects(reader.read(reference), isMismatch)
    await assert.rejects(reader.stream(reference).then(buffer), isMismatch)
  })

test('reading deleted content throws NoSuchKey', async () => {
  const reference = { bucket: 'content', key: 'gone', offset: 0, length: 1, sha256: '0'.repeat(64) }
  await assert.rejects(new ContentReader(new MemoryBucket().client).read(reference), { name: 'NoSuchKey' })
})

test('reading erased content of a segment throws a ContentErasedError, and the content beside it stays readable', async () => {
  const bucket = new MemoryBucket()
  const references = await new SegmentWriter(sdkObjectStore(bucket.client, 'content'), 'content').write([
    Buffer.from('erased'),
    Buffer.from('other'),
  ])
  const [erased, other] = references
  assert.ok(erased && other)
  const object = bucket.objects.get(erased.key) ?? Buffer.alloc(0)
  eraseContent(object.subarray(erased.offset, erased.offset + erased.length))
  const reader = new ContentReader(bucket.client)
  const isErased = (error: Error) => error instanceof ContentErasedError && isContentDeleted(error)
  await assert.rejects(reader.read(erased), isErased)
  await assert.rejects(reader.stream(erased).then(buffer), isErased)
  assert.equal((await reader.read(other)).toString(), 'other')
})
