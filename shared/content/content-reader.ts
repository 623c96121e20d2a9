/** Reads a message's octets from a range of an object, and verifies that they are the stored octets. */
import { createHash, hash } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { ContentReference } from '../contract/message.ts'
import { isErasedContent } from './erased-content.ts'

/**
 * The octets differ from the stored octets, so they must not be delivered. A retry may succeed, so the job is retried.
 */
export class ContentMismatchError extends Error {
  override readonly name = 'ContentMismatchError'

  constructor({ key, offset }: ContentReference, difference: string) {
    super(`content at ${key}+${offset} differs from the stored content: ${difference}`)
  }
}

/** The content was erased, and the other messages of its object remain. */
export class ContentErasedError extends Error {
  override readonly name = 'ContentErasedError'

  constructor({ key, offset }: ContentReference) {
    super(`content at ${key}+${offset} was erased`)
  }
}

/**
 * Whether an error means that the content does not exist any more. S3 answers so only to a role with `s3:ListBucket`
 * for the key; other roles get `AccessDenied`, as after a changed policy or with a disabled key.
 */
export const isContentDeleted = (error: unknown): boolean =>
  ['NoSuchKey', 'ContentErasedError'].includes((error as Error).name)

export class ContentReader {
  readonly #s3: Pick<S3Client, 'send'>

  constructor(s3: Pick<S3Client, 'send'>) {
    this.#s3 = s3
  }

  /**
   * Keeps only one copy of the message in memory, because several large messages are read concurrently.
   * @throws ContentErasedError; ContentMismatchError when length or SHA-256 differ; the S3 client's errors, among them
   * `NoSuchKey`
   */
  async read(reference: ContentReference): Promise<Buffer> {
    return verifyContent(await this.readRange(reference), reference)
  }

  /**
   * Reads a range, unverified.
   * @throws ContentMismatchError when the object ends before the range; the S3 client's errors, among them `NoSuchKey`
   */
  async readRange(range: ContentReference): Promise<Buffer> {
    return readAll(await this.#get(range), range)
  }

  /**
   * Streams a message too large for memory. If length or SHA-256 differ, the stream fails as `read` does after its last
   * octet, so a consumer must not complete its work before the end of the stream.
   */
  async stream(reference: ContentReference): Promise<Readable> {
    const body = await this.#get(reference)
    const verified = verifyingTransform(reference)
    body.on('error', (error) => verified.destroy(error))
    return body.pipe(verified)
  }

  /** Reads the start of a message, unverified. */
  async readStart(reference: ContentReference, maxOctets: number): Promise<Buffer> {
    const body = await this.#get({ ...reference, length: Math.min(reference.length, maxOctets) })
    return Buffer.concat(await Array.fromAsync(body))
  }

  async #get({ bucket, key, offset, length }: ContentReference): Promise<Readable> {
    if (length === 0) return Readable.from([])
    const Range = `bytes=${offset}-${offset + length - 1}`
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range }))
    return Body as Readable
  }
}

/** @throws ContentErasedError, or ContentMismatchError, when the octets are not those of the reference */
export function verifyContent(content: Buffer, reference: ContentReference): Buffer {
  if (hash('sha256', content) === reference.sha256) return content
  throw differenceOf(reference, isErasedContent(content))
}

const differenceOf = (reference: ContentReference, isErased: boolean): Error =>
  isErased ? new ContentErasedError(reference) : new ContentMismatchError(reference, 'SHA-256 differs')

/** Copies each chunk into one buffer. Collecting the chunks and joining them at the end would need twice the memory. */
async function readAll(body: Readable, reference: ContentReference): Promise<Buffer> {
  const content = Buffer.allocUnsafe(reference.length)
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunk.copy(content, length)
    length += chunk.length
  }
  if (length !== reference.length) throw new ContentMismatchError(reference, `${length} octets`)
  return content
}

function verifyingTransform(reference: ContentReference): Transform {
  const digest = createHash('sha256')
  let length = 0
  let isErased = true
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digest.update(chunk)
      isErased &&= isErasedContent(chunk)
      length += chunk.length
      done(null, chunk)
    },
    flush(done) {
      if (length !== reference.length) done(new ContentMismatchError(reference, `${length} octets`))
      else if (digest.digest('hex') !== reference.sha256) done(differenceOf(reference, isErased))
      else done()
    },
  })
}
