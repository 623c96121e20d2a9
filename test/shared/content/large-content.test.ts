import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import {
  ContentDigester,
  type LargeContent,
  partOctets,
  storeLargeContent,
} from '../../../shared/content/large-content.ts'
import { sdkObjectStore } from '../../../shared/content/segment-writer.ts'
import { MemoryBucket } from '../../support/memory-storage.ts'

const buffer = Buffer.alloc(partOctets)

function digestOf(octets: Buffer) {
  const digester = new ContentDigester()
  digester.update(octets)
  return digester.finish()
}

/**
 * Returns a content on the spool.
 * @param octetsOnDisk the octets on the spool, if they differ from the received octets
 */
const spooledContent = (octets: Buffer, octetsOnDisk = octets): LargeContent => ({
  ...digestOf(octets),
  read: async (into, from) => void octetsOnDisk.copy(into, 0, from),
})

function send(bucket: MemoryBucket, content: LargeContent, signal = new AbortController().signal) {
  const objects = sdkObjectStore(bucket.client, 'content')
  return storeLargeContent(content, { s3: bucket.client, objects, bucket: 'content', buffer, signal })
}

const part = (number: number) => Array.from({ length: number }, () => 'UploadPart')

const sizes: [octets: number, operations: string[]][] = [
  [1, ['PutObject']],
  [partOctets, ['PutObject']],
  [partOctets + 1, ['CreateMultipartUpload', ...part(2), 'CompleteMultipartUpload']],
  [3 * partOctets - 1, ['CreateMultipartUpload', ...part(3), 'CompleteMultipartUpload']],
  [3 * partOctets, ['CreateMultipartUpload', ...part(3), 'CompleteMultipartUpload']],
]

for (const [octets, operations] of sizes)
  test(`content of ${octets} octets is stored with the request count ${operations.length} and read back identical`, async () => {
    const bucket = new MemoryBucket()
    const content = Buffer.alloc(octets, 'large mail, ')
    const reference = await send(bucket, spooledContent(content))
    assert.deepEqual(bucket.operations, operations)
    assert.ok(bucket.maxBodyOctets <= partOctets)
    assert.ok((await new ContentReader(bucket.client).read(reference)).equals(content))
  })

test('the digest of content does not depend on the chunks in which it arrives', () => {
  const content = Buffer.alloc(partOctets + 70_000, 'large mail, ')
  const cuts = fc.array(fc.nat(content.length), { maxLength: 8 })
  fc.assert(
    fc.property(cuts, (cuts) => {
      const digester = new ContentDigester()
      const edges = [0, ...cuts.sort((a, b) => a - b), content.length]
      edges.slice(1).forEach((edge, index) => {
        digester.update(content.subarray(edges[index], edge))
      })
      assert.deepEqual(digester.finish(), digestOf(content))
    }),
    { numRuns: 20 },
  )
})

const damages: [octets: number, fault: string][] = [
  [1_000_000, 'the spool returned other octets than were written'],
  [partOctets + 5, 'BadDigest'],
]

for (const [octets, fault] of damages)
  test(`content of ${octets} octets that changed on the spool is not stored, and storeLargeContent throws`, async () => {
    const bucket = new MemoryBucket()
    const content = Buffer.alloc(octets, 'large mail, ')
    const damaged = Buffer.from(content)
    damaged[octets - 1] = 0
    await assert.rejects(send(bucket, spooledContent(content, damaged)), { message: fault })
    assert.equal(bucket.objects.size, 0)
  })

const failures: [operation: string, removed: boolean][] = [
  ['CreateMultipartUpload', false],
  ['UploadPart', true],
  ['CompleteMultipartUpload', true],
]

for (const [operation, removed] of failures)
  test(`when ${operation} fails, storeLargeContent throws${removed ? ' without waiting for the removal of the parts' : ''}`, async () => {
    const bucket = new MemoryBucket()
    bucket.before = async (name) => {
      if (name === operation) throw new Error('away')
      if (name === 'AbortMultipartUpload') await new Promise(() => {})
    }
    await assert.rejects(send(bucket, spooledContent(Buffer.alloc(2 * partOctets))), { message: 'away' })
    assert.equal(bucket.operations.at(-1), removed ? 'AbortMultipartUpload' : operation)
  })

test('an upload that is cancelled during a part sends no further part and removes the parts', async () => {
  const bucket = new MemoryBucket()
  const cancellation = new AbortController()
  bucket.after = async (name) => {
    if (name === 'UploadPart') cancellation.abort()
  }
  const sending = send(bucket, spooledContent(Buffer.alloc(3 * partOctets)), cancellation.signal)
  await assert.rejects(sending, { name: 'AbortError' })
  assert.deepEqual(bucket.operations, ['CreateMultipartUpload', 'UploadPart', 'AbortMultipartUpload'])
})
