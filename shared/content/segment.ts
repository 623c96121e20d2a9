/**
 * Segments: the contents of several messages in one object, each found again by its offset. Under load this
 * makes one PUT of many.
 */
import { hash } from 'node:crypto'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { ulid } from 'ulid'
import type { ContentReference } from '../contract/message.ts'

/** Lays contents one behind the other; the references are in the contents' order. */
export function packSegment(
  bucket: string,
  key: string,
  contents: readonly Buffer[],
): { body: Buffer; references: ContentReference[] } {
  let offset = 0
  const references = contents.map((content) => {
    const reference = { bucket, key, offset, length: content.length, sha256: hash('sha256', content) }
    offset += content.length
    return reference
  })
  const [only] = contents
  return { body: contents.length === 1 && only ? only : Buffer.concat(contents, offset), references }
}

export class SegmentWriter {
  readonly #s3: Pick<S3Client, 'send'>
  readonly #bucket: string

  constructor(s3: Pick<S3Client, 'send'>, bucket: string) {
    this.#s3 = s3
    this.#bucket = bucket
  }

  /** Stores contents as one object. When it resolves they are durable; when it rejects none is referred to. */
  async write(contents: readonly Buffer[]): Promise<ContentReference[]> {
    const { body, references } = packSegment(this.#bucket, `segments/${ulid()}`, contents)
    const Key = references[0]?.key
    await this.#s3.send(new PutObjectCommand({ Bucket: this.#bucket, Key, Body: body }))
    return references
  }
}
