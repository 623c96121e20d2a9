/** Reading a message's octets back: a range of an object, proven to be the octets that were stored. */
import { createHash, hash } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { ContentReference } from '../contract/message.ts'

/** What was read is not what was stored: never to be delivered. Trying again may help, so it is a fault. */
export class ContentMismatchError extends Error {
  override readonly name = 'ContentMismatchError'

  constructor({ key, offset }: ContentReference, found: string) {
    super(`content at ${key}+${offset} is not what was stored: ${found}`)
  }
}

export class ContentReader {
  readonly #s3: Pick<S3Client, 'send'>

  constructor(s3: Pick<S3Client, 'send'>) {
    this.#s3 = s3
  }

  /**
   * The whole message in memory, once: several large ones are read at the same time.
   * @throws ContentMismatchError when length or SHA-256 differ; the S3 client's errors, `NoSuchKey` among them
   */
  async read(reference: ContentReference): Promise<Buffer> {
    const body = await this.#get(reference)
    const content = await octetsOf(body, reference)
    if (hash('sha256', content) !== reference.sha256)
      throw new ContentMismatchError(reference, 'SHA-256 differs')
    return content
  }

  /**
   * The message as a stream, for those too large to hold. It ends in a ContentMismatchError, after its last
   * octet, when length or SHA-256 differ: a consumer must not complete its own work before the stream's end.
   */
  async stream(reference: ContentReference): Promise<Readable> {
    const body = await this.#get(reference)
    const verified = verify(reference)
    body.on('error', (error) => verified.destroy(error))
    return body.pipe(verified)
  }

  /** The beginning of a message: at most so many octets. Nothing proves that they are those that were stored. */
  async readStart(reference: ContentReference, most: number): Promise<Buffer> {
    const body = await this.#get({ ...reference, length: Math.min(reference.length, most) })
    return Buffer.concat(await Array.fromAsync(body))
  }

  async #get({ bucket, key, offset, length }: ContentReference): Promise<Readable> {
    if (length === 0) return Readable.from([])
    const Range = `bytes=${offset}-${offset + length - 1}`
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range }))
    return Body as Readable
  }
}

/** Chunks that are gathered and joined afterwards would take twice the room. */
async function octetsOf(body: Readable, reference: ContentReference): Promise<Buffer> {
  const content = Buffer.allocUnsafe(reference.length)
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunk.copy(content, length)
    length += chunk.length
  }
  if (length !== reference.length) throw new ContentMismatchError(reference, `${length} octets`)
  return content
}

function verify(reference: ContentReference): Transform {
  const digest = createHash('sha256')
  let length = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digest.update(chunk)
      length += chunk.length
      done(null, chunk)
    },
    flush(done) {
      if (length !== reference.length) done(new ContentMismatchError(reference, `${length} octets`))
      else if (digest.digest('hex') !== reference.sha256)
        done(new ContentMismatchError(reference, 'SHA-256 differs'))
      else done()
    },
  })
}
