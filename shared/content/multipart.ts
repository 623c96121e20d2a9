/** A message too large to hold: an object of its own, sent part by part from where it lies. */
import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { ulid } from 'ulid'
import type { ContentReference } from '../contract/message.ts'
import type { ObjectStore } from './segment.ts'

/** Octets of every part but the last: the least that S3 takes, since a part on its way is held in memory. */
export const partSize = 5 * 1024 * 1024

/** What is known of a content before it is sent. What is sent is compared with it, so a disk that lies is found out. */
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
  s3: Pick<S3Client, 'send'>
  /** Where a content goes that is no larger than a part. */
  objects: ObjectStore
  bucket: string
  /** Holds a part on its way: `partSize` octets, in use until it resolves. */
  buffer: Buffer
  signal: AbortSignal
}

/**
 * Stores a content as one object. When it resolves the content is durable; when it rejects, what there is of it is
 * being removed, and what cannot be removed now, the bucket's lifecycle removes.
 */
export async function storeLarge(content: LargeContent, sending: Sending): Promise<ContentReference> {
  const { bucket } = sending
  const key = `messages/${ulid()}`
  if (content.length <= partSize) await putWhole(key, content, sending)
  else await putInParts({ Bucket: bucket, Key: key }, content, sending)
  return { bucket, key, offset: 0, length: content.length, sha256: content.sha256.toString('hex') }
}

interface Target {
  Bucket: string
  Key: string
}

/** The store compares what arrives with what was sent, so what is sent is compared here with what came. */
async function putWhole(key: string, content: LargeContent, sending: Sending): Promise<void> {
  const { objects, buffer, signal } = sending
  const octets = buffer.subarray(0, content.length)
  await content.read(octets, 0)
  if (crc32(octets) !== content.parts[0]) throw new Error('the content does not lie there as it came')
  signal.throwIfAborted()
  await objects.put(key, [octets])
}

async function putInParts(target: Target, content: LargeContent, sending: Sending): Promise<void> {
  const { s3 } = sending
  // S3 takes checksums of parts only for an upload that was announced with them.
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }),
  )
  if (UploadId === undefined) throw new Error('S3 named no multipart upload')
  const upload = { ...target, UploadId }
  try {
    const Parts = await sendParts(upload, content, sending)
    await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
  } catch (error) {
    // Parts that are left behind would be paid for. Nobody waits for their removal.
    void s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
    throw error
  }
}

async function sendParts(
  upload: Target & { UploadId: string },
  content: LargeContent,
  { s3, buffer, signal }: Sending,
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
