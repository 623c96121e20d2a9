/** The objects of the events bucket. Each is put as a whole and never added to. */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'

export interface StoredObject {
  key: string
  /** Octets. */
  size: number
  /** Changes with the content. */
  etag: string
}

/** What a rewritten object replaces. */
export interface ReplacedObject {
  /** Of the content that is replaced. */
  etag: string
  /** `KEY=VALUE` */
  tag: string
}

export class EventStore {
  readonly #s3: Pick<S3Client, 'send'>
  readonly #bucket: string

  constructor(s3: Pick<S3Client, 'send'>, bucket: string) {
    this.#s3 = s3
    this.#bucket = bucket
  }

  /** @throws the S3 client's errors; `PreconditionFailed` when the object has another content than the replaced one */
  async put(key: string, body: Uint8Array, replaced?: ReplacedObject): Promise<void> {
    await this.#s3.send(
      new PutObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        Body: body,
        ...(replaced && { IfMatch: replaced.etag, Tagging: replaced.tag }),
      }),
    )
  }

  /**
   * @param range the first octet, and the one after the last
   * @throws the S3 client's errors, among them `NoSuchKey`
   */
  async get(key: string, range?: readonly [start: number, end: number]): Promise<Buffer> {
    const { Body } = await this.#s3.send(
      new GetObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        ...(range && { Range: `bytes=${range[0]}-${range[1] - 1}` }),
      }),
    )
    if (Body === undefined) throw new Error(`the response to GetObject of ${key} has no body`)
    return Buffer.from(await Body.transformToByteArray())
  }

  /** @returns the objects in the order of their keys */
  async list(prefix: string): Promise<StoredObject[]> {
    const objects: StoredObject[] = []
    let token: string | undefined
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token }),
      )
      for (const { Key, Size = 0, ETag = '' } of page.Contents ?? [])
        if (Key !== undefined) objects.push({ key: Key, size: Size, etag: ETag })
      token = page.NextContinuationToken
    } while (token !== undefined)
    return objects
  }
}
