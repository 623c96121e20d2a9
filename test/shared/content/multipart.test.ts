import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import {
  ContentDigester,
  type LargeContent,
  partSize,
  storeLarge,
} from '../../../shared/content/multipart.ts'
import { ContentReader } from '../../../shared/content/reader.ts'
import { MemoryBucket } from '../../functions/smtp-ingress/support.ts'

const buffer = Buffer.alloc(partSize)

function digestOf(octets: Buffer) {
  const digester = new ContentDigester()
  digester.update(octets)
  return digester.finish()
}

/** A content as it lies somewhere. @param lies what is there, if not what came */
const lying = (octets: Buffer, lies = octets): LargeContent => ({
  ...digestOf(octets),
  read: async (into, from) => void lies.copy(into, 0, from),
})

function send(bucket: MemoryBucket, content: LargeContent, signal = new AbortController().signal) {
  return storeLarge(bucket.client, 'content', content, { buffer, signal })
}

const part = (number: number) => Array.from({ length: number }, () => 'UploadPart')

const sizes: [octets: number, operations: string[]][] = [
  [1, ['PutObject']],
  [partSize, ['PutObject']],
  [partSize + 1, ['CreateMultipartUpload', ...part(2), 'CompleteMultipartUpload']],
  [3 * partSize - 1, ['CreateMultipartUpload', ...part(3), 'CompleteMultipartUpload']],
  [3 * partSize, ['CreateMultipartUpload', ...part(3), 'CompleteMultipartUpload']],
]

for (const [octets, operations] of sizes)
  test(`a content of ${octets} octets is sent in ${operations.length} requests and reads back identical`, async () => {
    const bucket = new MemoryBucket()
    const content = Buffer.alloc(octets, 'large mail, ')
    const reference = await send(bucket, lying(content))
    assert.deepEqual(bucket.operations, operations)
    assert.ok(bucket.largestBody <= partSize)
    assert.ok((await new ContentReader(bucket.client).read(reference)).equals(content))
  })

test('however a content is cut, its digest is the same', () => {
  const content = Buffer.alloc(partSize + 70_000, 'large mail, ')
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

for (const octets of [1_000_000, partSize + 5])
  test(`${octets} octets that do not lie as they came are never taken for the message`, async () => {
    const bucket = new MemoryBucket()
    const content = Buffer.alloc(octets, 'large mail, ')
    const other = Buffer.from(content)
    other[octets - 1] = 0
    await assert.rejects(send(bucket, lying(content, other)), { message: 'BadDigest' })
    assert.equal(bucket.objects.size, 0)
  })

const failures: [operation: string, removed: boolean][] = [
  ['CreateMultipartUpload', false],
  ['UploadPart', true],
  ['CompleteMultipartUpload', true],
]

for (const [operation, removed] of failures)
  test(`when ${operation} fails the content is not stored${removed ? ', and nobody waits for the removal of its parts' : ''}`, async () => {
    const bucket = new MemoryBucket()
    bucket.before = async (name) => {
      if (name === operation) throw new Error('away')
      if (name === 'AbortMultipartUpload') await new Promise(() => {})
    }
    await assert.rejects(send(bucket, lying(Buffer.alloc(2 * partSize))), { message: 'away' })
    assert.equal(bucket.operations.at(-1), removed ? 'AbortMultipartUpload' : operation)
  })

test('a content that nobody wants any more is not sent to its end', async () => {
  const bucket = new MemoryBucket()
  const unwanted = new AbortController()
  bucket.after = async (name) => {
    if (name === 'UploadPart') unwanted.abort()
  }
  const sending = send(bucket, lying(Buffer.alloc(3 * partSize)), unwanted.signal)
  await assert.rejects(sending, { name: 'AbortError' })
  assert.deepEqual(bucket.operations, ['CreateMultipartUpload', 'UploadPart', 'AbortMultipartUpload'])
})

test('the client signs the digest that is known, and reads the octets no second time', async () => {
  const requests: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    requests.push(request.headers)
    request.resume().on('end', () => response.end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const s3 = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  // What lies there is not read for it: this server, which is no S3, does not notice.
  const content = lying(Buffer.from('large mail'), Buffer.from('other mail'))
  await storeLarge(s3, 'content', content, { buffer, signal: new AbortController().signal })
  s3.destroy()
  server.close()
  assert.equal(requests.length, 1)
  assert.equal(requests[0]?.['x-amz-content-sha256'], content.sha256.toString('hex'))
  assert.equal(requests[0]?.['x-amz-checksum-sha256'], content.sha256.toString('base64'))
  assert.match(String(requests[0]?.authorization), /SignedHeaders=[^,]*x-amz-content-sha256/)
})
