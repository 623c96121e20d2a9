/** A message too large to hold: an object of its own, written in parts while it arrives. */
import { createHash, type Hash } from 'node:crypto'
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

/** Octets of every part but the last: the least that S3 takes, since parts are held in memory. */
export const partSize = 5 * 1024 * 1024

/**
 * `write` as often as needed, then `complete` or `abort`. At most two parts are in memory: the one that fills
 * and the one that is on its way. After a rejection only `abort` is of use.
 */
export class MultipartWriter {
  readonly #s3: Pick<S3Client, 'send'>
  readonly #target: { Bucket: string; Key: string; UploadId: string }
  readonly #digest: Hash = createHash('sha256')
  readonly #parts: CompletedPart[] = []
  #part = Buffer.allocUnsafe(partSize)
  #filled = 0
  #length = 0
  #upload: Promise<void> = Promise.resolve()

  private constructor(s3: Pick<S3Client, 'send'>, target: { Bucket: string; Key: string; UploadId: string }) {
    this.#s3 = s3
    this.#target = target
  }

  static async start(s3: Pick<S3Client, 'send'>, bucket: string): Promise<MultipartWriter> {
    const target = { Bucket: bucket, Key: `messages/${ulid()}` }
    // The SDK gives every part a CRC-32, which S3 takes only for an upload that was announced with it.
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }),
    )
    if (UploadId === undefined) throw new Error('S3 named no multipart upload')
    return new MultipartWriter(s3, { ...target, UploadId })
  }

  /** Resolves when the octets were copied, which waits for the part before when a part is full. */
  async write(octets: Buffer): Promise<void> {
    this.#digest.update(octets)
    this.#length += octets.length
    for (let from = 0; from < octets.length; ) {
      const copied = octets.copy(this.#part, this.#filled, from)
      from += copied
      this.#filled += copied
      if (this.#filled === this.#part.length) await this.#sendPart()
    }
  }

  async complete(): Promise<ContentReference> {
    if (this.#filled > 0) await this.#sendPart()
    await this.#upload
    const MultipartUpload = { Parts: this.#parts }
    await this.#s3.send(new CompleteMultipartUploadCommand({ ...this.#target, MultipartUpload }))
    const { Bucket: bucket, Key: key } = this.#target
    return { bucket, key, offset: 0, length: this.#length, sha256: this.#digest.digest('hex') }
  }

  /** Leaves no parts behind, which would be paid for. */
  async abort(): Promise<void> {
    await this.#upload.catch(() => {})
    await this.#s3.send(new AbortMultipartUploadCommand(this.#target))
  }

  async #sendPart(): Promise<void> {
    await this.#upload
    const PartNumber = this.#parts.length + 1
    const Body = this.#part.subarray(0, this.#filled)
    this.#part = Buffer.allocUnsafe(partSize)
    this.#filled = 0
    this.#upload = this.#s3
      .send(new UploadPartCommand({ ...this.#target, PartNumber, Body }))
      // To complete such an upload every part's checksum has to be named again.
      .then(({ ETag, ChecksumCRC32 }) => {
        this.#parts.push({ PartNumber, ETag, ChecksumCRC32 })
      })
    // The rejection is met by the next write, by complete or by abort.
    this.#upload.catch(() => {})
  }
}
