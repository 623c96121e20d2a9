/** A message too large to hold: an object of its own, sent part by part from where it lies. */
import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { ulid } from 'ulid'
import type { ContentReference } from '../contract/message.ts'

/** Octets of every part but the last: the least that S3 takes, since a part on its way is held in memory. */
export const partSize = 5 * 1024 * 1024

/** What is known of a content before it is sent. S3 compares it with what arrives, so a disk that lies is found out. */
export interface ContentDigest {
  length: number
  sha256: Buffer
  /** CRC-32 of each part. */
  parts: readonly number[]
}

/** Digests a content that comes in pieces. */
export class ContentDigester {
  readonly #sha256: Hash = createHash('sha256')
  readonly #parts: number[] = []
  #length = 0

  update(octets: Buffer): void {
    this.#sha256.update(octets)
    for (let from = 0; from < octets.length; ) {
      const part = Math.floor(this.#length / partSize)
      const piece = octets.subarray(from, from + (part + 1) * partSize - this.#length)
      this.#parts[part] = crc32(piece, this.#parts[part] ?? 0)
      this.#length += piece.length
      from += piece.length
    }
  }

  /** Nothing follows. */
  finish(): ContentDigest {
    return { length: this.#length, sha256: this.#sha256.digest(), parts: this.#parts }
  }
}

export interface LargeContent extends ContentDigest {
  /** Fills the buffer with the octets from a position on. */
  read(into: Buffer, position: number): Promise<void>
}

/** What one content is sent with. */
export interface Sending {
  /** Holds a part on its way: `partSize` octets, in use until it resolves. */
  buffer: Buffer
  signal: AbortSignal
}

/**
 * Stores a content as one object. When it resolves the content is durable; when it rejects, what there is of it is
 * being removed, and what cannot be removed now, the bucket's lifecycle removes.
 */
export async function storeLarge(
  s3: Pick<S3Client, 'send'>,
  bucket: string,
  content: LargeContent,
  sending: Sending,
): Promise<ContentReference> {
  const target = { Bucket: bucket, Key: `messages/${ulid()}` }
  if (content.length <= partSize) await putWhole(s3, target, content, sending)
  else await putInParts(s3, target, content, sending)
  return {
    bucket,
    key: target.Key,
    offset: 0,
    length: content.length,
    sha256: content.sha256.toString('hex'),
  }
}

interface Target {
  Bucket: string
  Key: string
}

async function putWhole(
  s3: Pick<S3Client, 'send'>,
  target: Target,
  content: LargeContent,
  { buffer, signal }: Sending,
): Promise<void> {
  const Body = buffer.subarray(0, content.length)
  await content.read(Body, 0)
  signal.throwIfAborted()
  const put = new PutObjectCommand({ ...target, Body, ChecksumSHA256: content.sha256.toString('base64') })
  put.middlewareStack.add(
    (next) => (args) => {
      // The signature is over the digest that is known, for which the client would read the octets once more.
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amz-content-sha256'] = content.sha256.toString('hex')
      return next(args)
    },
    { step: 'build' },
  )
  await s3.send(put, { abortSignal: signal })
}

async function putInParts(
  s3: Pick<S3Client, 'send'>,
  target: Target,
  content: LargeContent,
  sending: Sending,
): Promise<void> {
  // S3 takes checksums of parts only for an upload that was announced with them.
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }),
  )
  if (UploadId === undefined) throw new Error('S3 named no multipart upload')
  const upload = { ...target, UploadId }
  try {
    const Parts = await sendParts(s3, upload, content, sending)
    await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
  } catch (error) {
    // Parts that are left behind would be paid for. Nobody waits for their removal.
    void s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
    throw error
  }
}

async function sendParts(
  s3: Pick<S3Client, 'send'>,
  upload: Target & { UploadId: string },
  content: LargeContent,
  { buffer, signal }: Sending,
): Promise<CompletedPart[]> {
  const sent: CompletedPart[] = []
  for (const [index, checksum] of content.parts.entries()) {
    const from = index * partSize
    const Body = buffer.subarray(0, Math.min(partSize, content.length - from))
    await content.read(Body, from)
    signal.throwIfAborted()
    const part = { PartNumber: index + 1, ChecksumCRC32: base64Of(checksum) }
    const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand({ ...upload, ...part, Body }), {
      abortSignal: signal,
    })
    // To complete such an upload every part's checksum has to be named again, as S3 knows it.
    sent.push({ PartNumber: part.PartNumber, ETag, ChecksumCRC32 })
  }
  return sent
}

/** As S3 writes it: four octets, the most significant first. */
function base64Of(checksum: number): string {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(checksum)
  return octets.toString('base64')
}
