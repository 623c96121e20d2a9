/** Segments: objects with several messages, each at an offset. Under load one PUT stores many messages. */
import { hash } from 'node:crypto'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { ContentReference } from '../contract/message.ts'
import { contentKey } from './content-key.ts'
import { newUlid } from './ulid.ts'

/** Stores the parts, concatenated, as one object. */
export interface ObjectStore {
  put(key: string, parts: readonly Buffer[]): Promise<void>
}

/** Returns the references of contents that are concatenated in one object, in their order. */
export function segmentReferences(
  bucket: string,
  key: string,
  contents: readonly Buffer[],
): ContentReference[] {
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

  /**
   * Stores contents as one object. When the promise resolves, all contents are durable; when it rejects, none may be
   * used.
   */
  async write(contents: readonly Buffer[]): Promise<ContentReference[]> {
    const key = contentKey('segments', newUlid())
    const references = segmentReferences(this.#bucket, key, contents)
    await this.#objects.put(key, contents)
    return references
  }
}

/** Uses the SDK, which needs an object's octets in one buffer. */
export const sdkObjectStore = (s3: Pick<S3Client, 'send'>, bucket: string): ObjectStore => ({
  async put(Key, parts) {
    const [single] = parts
    const Body = parts.length === 1 && single ? single : Buffer.concat(parts)
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
  },
})
