/**
 * Erases the content of a message. An object of one message is deleted. In a segment with other messages the range is
 * overwritten, so that the others keep their places.
 */
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { eraseContent, isErasedContent } from '../../shared/content/erased-content.ts'
import type { ContentReference } from '../../shared/contract/message.ts'

const maxTries = 5

export class StoredContents {
  readonly #s3: Pick<S3Client, 'send'>

  constructor(s3: Pick<S3Client, 'send'>) {
    this.#s3 = s3
  }

  /**
   * @returns false if there was no content
   * @throws the S3 client's errors; Error when other writers keep changing the segment
   */
  async erase(reference: ContentReference): Promise<boolean> {
    // Two erasures may overwrite ranges of one segment at the same time.
    for (let tries = 0; tries < maxTries; tries++) {
      const result = await this.#erase(reference)
      if (result !== 'Changed') return result
    }
    throw new Error(`the segment ${reference.key} keeps changing`)
  }

  async #erase({ bucket, key, offset, length }: ContentReference): Promise<boolean | 'Changed'> {
    const target = { Bucket: bucket, Key: key }
    const object = await this.#read(target)
    if (object === null) return false
    const range = object.octets.subarray(offset, offset + length)
    if (range.length === object.octets.length) {
      await this.#s3.send(new DeleteObjectCommand(target))
      return true
    }
    if (isErasedContent(range)) return false
    eraseContent(range)
    try {
      await this.#s3.send(
        new PutObjectCommand({
          ...target,
          Body: object.octets,
          ...(object.etag && { IfMatch: object.etag }),
        }),
      )
      return true
    } catch (error) {
      const { name } = error as Error
      if (name === 'PreconditionFailed' || name === 'ConditionalRequestConflict') return 'Changed'
      throw error
    }
  }

  async #read(target: {
    Bucket: string
    Key: string
  }): Promise<{ octets: Buffer; etag?: string | undefined } | null> {
    try {
      const { Body, ETag: etag } = await this.#s3.send(new GetObjectCommand(target))
      return { octets: Buffer.from((await Body?.transformToByteArray()) ?? []), etag }
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return null
      throw error
    }
  }
}
