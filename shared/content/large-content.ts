/** Stores a message that is too large for memory as one object, part by part. */
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
import { contentKey } from './content-key.ts'
import type { ObjectStore } from './segment-writer.ts'

/** Size of every part but the last: the minimum of S3, because a part is in memory during its upload. */
export const partOctets = 5 * 1024 * 1024

/**
 * Digest of a content as it was received. The octets of the upload are compared with this digest to detect a disk that
 * returns wrong data.
 */
export interface ContentDigest {
  length: number
  sha256: Buffer
  /** CRC-32 of each part. */
  parts: readonly number[]
}

/** Digests a content that arrives in pieces. */
export class ContentDigester {
  readonly #sha256: Hash = createHash('sha256')
  readonly #parts: number[] = []
  #length = 0

  update(octets: Buffer): void {
    this.#sha256.update(octets)
    for (let from = 0; from < octets.length; ) {
      const part = Math.floor(this.#length / partOctets)
      const piece = octets.subarray(from, from + (part + 1) * partOctets - this.#length)
      this.#parts[part] = crc32(piece, this.#parts[part] ?? 0)
      this.#length += piece.length
      from += piece.length
    }
  }

  /** Ends the content. */
  finish(): ContentDigest {
    return { length: this.#length, sha256: this.#sha256.digest(), parts: this.#parts }
  }
}

export interface LargeContent extends ContentDigest {
  /** Fills the buffer with the octets that begin at a position. */
  read(into: Buffer, position: number): Promise<void>
}

/** The resources for one upload. */
export interface UploadOptions {
  s3: Pick<S3Client, 'send'>
  /** Stores a content that fits one part. */
  objects: ObjectStore
  bucket: string
  /** A buffer for one part (`partOctets`), in use until the upload ends. */
  buffer: Buffer
  signal: AbortSignal
}

/**
 * Stores a content as one object. When the promise resolves, the content is durable. When it rejects, the removal of
 * the uploaded parts has begun; parts that cannot be removed are left to the bucket's lifecycle.
 */
export async function storeLargeContent(
  content: LargeContent,
  options: UploadOptions,
): Promise<ContentReference> {
  const { bucket } = options
  const key = contentKey('messages', ulid())
  if (content.length <= partOctets) await putWhole(key, content, options)
  else await putInParts({ Bucket: bucket, Key: key }, content, options)
  return { bucket, key, offset: 0, length: content.length, sha256: content.sha256.toString('hex') }
}

interface ObjectTarget {
  Bucket: string
  Key: string
}

/** Compares the octets of the spool with those received from the client. S3 checks the transfer to S3. */
async function putWhole(key: string, content: LargeContent, options: UploadOptions): Promise<void> {
  const { objects, buffer, signal } = options
  const octets = buffer.subarray(0, content.length)
  await content.read(octets, 0)
  if (crc32(octets) !== content.parts[0]) throw new Error('the spool returned other octets than were written')
  signal.throwIfAborted()
  await objects.put(key, [octets])
}

async function putInParts(
  target: ObjectTarget,
  content: LargeContent,
  options: UploadOptions,
): Promise<void> {
  const { s3 } = options
  // S3 checks the checksums of parts only if the upload was created with a checksum algorithm.
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }),
  )
  if (UploadId === undefined) throw new Error('S3 returned no id for a multipart upload')
  const upload = { ...target, UploadId }
  try {
    const Parts = await sendParts(upload, content, options)
    await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
  } catch (error) {
    // S3 charges for parts of unfinished uploads. The caller does not wait for their removal.
    void s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
    throw error
  }
}

async function sendParts(
  upload: ObjectTarget & { UploadId: string },
  content: LargeContent,
  { s3, buffer, signal }: UploadOptions,
): Promise<CompletedPart[]> {
  const completed: CompletedPart[] = []
  for (const [index, checksum] of content.parts.entries()) {
    const from = index * partOctets
    const Body = buffer.subarray(0, Math.min(partOctets, content.length - from))
    await content.read(Body, from)
    signal.throwIfAborted()
    const part = { PartNumber: index + 1, ChecksumCRC32: encodeChecksum(checksum) }
    const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand({ ...upload, ...part, Body }), {
      abortSignal: signal,
    })
    // CompleteMultipartUpload must repeat the checksum of every part, as S3 returned it.
    completed.push({ PartNumber: part.PartNumber, ETag, ChecksumCRC32 })
  }
  return completed
}

/** S3's format: four octets, big-endian, in base64. */
function encodeChecksum(checksum: number): string {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(checksum)
  return octets.toString('base64')
}
