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

/** A content on the spool. @param lies the octets there, if they differ from those received */
const lying = (octets: Buffer, lies = octets): LargeContent => ({
  ...digestOf(octets),
  read: async (into, from) => void lies.copy(into, 0, from),
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
  test(`a content of ${octets} octets is sent in ${operations.length} requests and reads back identical`, async () => {
    const bucket = new MemoryBucket()
    const content = Buffer.alloc(octets, 'large mail, ')
    const reference = await send(bucket, lying(content))
    assert.deepEqual(bucket.operations, operations)
    assert.ok(bucket.maxBodyOctets <= partOctets)
    assert.ok((await new ContentReader(bucket.client).read(reference)).equals(content))
  })

test('the digest does not depend on how the content was cut', () => {
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

const lies: [octets: number, fault: string][] = [
  [1_000_000, 'the spool returned other octets than were written'],
  [partOctets + 5, 'BadDigest'],
]

for (const [octets, fault] of lies)
  test(`${octets} octets that changed on the spool are never stored as the message`, async () => {
    const bucket = new MemoryBucket()
    const content = Buffer.alloc(octets, 'large mail, ')
    const other = Buffer.from(content)
    other[octets - 1] = 0
    await assert.rejects(send(bucket, lying(content, other)), { message: fault })
    assert.equal(bucket.objects.size, 0)
  })

const failures: [operation: string, removed: boolean][] = [
  ['CreateMultipartUpload', false],
  ['UploadPart', true],
  ['CompleteMultipartUpload', true],
]

for (const [operation, removed] of failures)
  test(`when ${operation} fails the content is not stored${removed ? ', and the removal of its parts is not awaited' : ''}`, async () => {
    const bucket = new MemoryBucket()
    bucket.before = async (name) => {
      if (name === operation) throw new Error('away')
      if (name === 'AbortMultipartUpload') await new Promise(() => {})
    }
    await assert.rejects(send(bucket, lying(Buffer.alloc(2 * partOctets))), { message: 'away' })
    assert.equal(bucket.operations.at(-1), removed ? 'AbortMultipartUpload' : operation)
  })

test('a cancelled upload stops between parts', async () => {
  const bucket = new MemoryBucket()
  const unwanted = new AbortController()
  bucket.after = async (name) => {
    if (name === 'UploadPart') unwanted.abort()
  }
  const sending = send(bucket, lying(Buffer.alloc(3 * partOctets)), unwanted.signal)
  await assert.rejects(sending, { name: 'AbortError' })
  assert.deepEqual(bucket.operations, ['CreateMultipartUpload', 'UploadPart', 'AbortMultipartUpload'])
})
