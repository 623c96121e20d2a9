/**
 * Segments: the contents of several messages in one object, each found again by its offset. Under load this
 * makes one PUT of many.
 */
import { hash } from 'node:crypto'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { ContentReference } from '../contract/message.ts'
import { newUlid } from './ulid.ts'

/** Stores the parts, one behind the other, as one object. */
export interface ObjectStore {
  put(key: string, parts: readonly Buffer[]): Promise<void>
}

/** Where each content lies in an object that holds them one behind the other, in the contents' order. */
export function referTo(bucket: string, key: string, contents: readonly Buffer[]): ContentReference[] {
  let offset = 0
  return contents.map((content) => {
    const reference = { bucket, key, offset, length: content.length, sha256: hash('sha256', content) }
    offset += content.length
    return reference
  })
}

export class SegmentWriter {
  readonly #objects: ObjectStore
  readonly #bucket: string

  constructor(objects: ObjectStore, bucket: string) {
    this.#objects = objects
    this.#bucket = bucket
  }

  /** Stores contents as one object. When it resolves they are durable; when it rejects none is referred to. */
  async write(contents: readonly Buffer[]): Promise<ContentReference[]> {
    const key = `segments/${newUlid()}`
    const references = referTo(this.#bucket, key, contents)
    await this.#objects.put(key, contents)
    return references
  }
}

/** By the SDK, which wants an object's octets in one piece. */
export const objectsBySdk = (s3: Pick<S3Client, 'send'>, bucket: string): ObjectStore => ({
  async put(Key, parts) {
    const [only] = parts
    const Body = parts.length === 1 && only ? only : Buffer.concat(parts)
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
  },
})
