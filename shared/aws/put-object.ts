/** S3's PutObject, from buffers. S3 verifies the CRC-32 of what it receives. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { Patience } from './exchange.ts'
import { Identity } from './identity.ts'
import { type Chance, Service } from './service.ts'
import { targetOf } from './target.ts'

/** Placeholder in the path, replaced by the key of each object. */
const anyKey = 'key'

/** TLS protects the body against changes, so computing its SHA-256 for the signature is not necessary. */
const unsigned = 'UNSIGNED-PAYLOAD'

export class ObjectPutter {
  readonly #s3: S3Client
  readonly #bucket: string
  readonly #patience: Patience
  readonly #chance: Chance | undefined
  readonly #identity: Identity
  #service: Service | null = null

  constructor(s3: S3Client, bucket: string, patience: Patience, chance?: Chance) {
    this.#s3 = s3
    this.#bucket = bucket
    this.#patience = patience
    this.#chance = chance
    this.#identity = new Identity(() => s3.config.credentials())
  }

  /**
   * Stores the concatenated parts as one object.
   * @param key letters, digits, `-`, `.`, `_`, `~` and `/` only
   * @throws ServiceError, NoAnswerError, or the SDK's error when it finds no region or credentials
   */
  async put(key: string, parts: readonly Buffer[]): Promise<void> {
    const service = this.#service ?? (await this.#find())
    const payload = service.target.isSecure ? unsigned : sha256Of(parts)
    const headers = {
      'content-length': String(parts.reduce((sum, { length }) => sum + length, 0)),
      'content-type': 'application/octet-stream',
      'x-amz-checksum-crc32': checksumOf(parts),
      'x-amz-content-sha256': payload,
    }
    const answer = await service.send({ method: 'PUT', path: key, headers, body: parts, payload })
    if (answer.headers.etag === undefined)
      throw new Error('the response to PutObject has no ETag: the endpoint is not S3')
  }

  close(): void {
    this.#service?.close()
  }

  async #find(): Promise<Service> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: anyKey, Body: Buffer.alloc(0) })
    const target = await targetOf((command: PutObjectCommand) => this.#s3.send(command), command)
    const path = target.path.replace(/\?.*$/, '').slice(0, -anyKey.length)
    this.#service ??= new Service({ ...target, path }, this.#identity, this.#patience, this.#chance)
    return this.#service
  }
}

function sha256Of(parts: readonly Buffer[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

function checksumOf(parts: readonly Buffer[]): string {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(parts.reduce((sum, part) => crc32(part, sum), 0))
  return octets.toString('base64')
}
