/** S3's PutObject, from buffers. S3 verifies the CRC-32 of the octets that it receives. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { CredentialsCache } from './credentials-cache.ts'
import type { RequestTimeouts } from './http-connections.ts'
import { type ClockAndRandom, ServiceClient } from './service-client.ts'
import { resolveTarget } from './target.ts'

/** Placeholder in the path, replaced by the key of each object. */
const placeholderKey = 'key'

/** TLS protects the body against changes, so computing its SHA-256 for the signature is not necessary. */
const unsignedPayload = 'UNSIGNED-PAYLOAD'

export class ObjectPutter {
  readonly #s3: S3Client
  readonly #bucket: string
  readonly #timeouts: RequestTimeouts
  readonly #clockAndRandom: ClockAndRandom | undefined
  readonly #credentials: CredentialsCache
  #client: ServiceClient | null = null

  constructor(s3: S3Client, bucket: string, timeouts: RequestTimeouts, clockAndRandom?: ClockAndRandom) {
    this.#s3 = s3
    this.#bucket = bucket
    this.#timeouts = timeouts
    this.#clockAndRandom = clockAndRandom
    this.#credentials = new CredentialsCache(() => s3.config.credentials())
  }

  /**
   * Stores the concatenated parts as one object.
   * @param key letters, digits, `-`, `.`, `_`, `~` and `/` only
   * @throws ServiceError, NoResponseError, or the SDK's error when it finds no region or credentials
   */
  async put(key: string, parts: readonly Buffer[]): Promise<void> {
    const client = this.#client ?? (await this.#createClient())
    const payload = client.target.isSecure ? unsignedPayload : sha256Of(parts)
    const headers = {
      'content-length': String(parts.reduce((sum, { length }) => sum + length, 0)),
      'content-type': 'application/octet-stream',
      'x-amz-checksum-crc32': crc32Of(parts),
      'x-amz-content-sha256': payload,
    }
    const response = await client.send({
      method: 'PUT',
      path: key,
      headers,
      body: parts,
      payloadHash: payload,
    })
    if (response.headers.etag === undefined)
      throw new Error('the response to PutObject has no ETag: the endpoint is not S3')
  }

  close(): void {
    this.#client?.close()
  }

  async #createClient(): Promise<ServiceClient> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: placeholderKey, Body: Buffer.alloc(0) })
    const target = await resolveTarget((command: PutObjectCommand) => this.#s3.send(command), command)
    const path = target.path.replace(/\?.*$/, '').slice(0, -placeholderKey.length)
    this.#client ??= new ServiceClient(
      { ...target, path },
      this.#credentials,
      this.#timeouts,
      this.#clockAndRandom,
    )
    return this.#client
  }
}

function sha256Of(parts: readonly Buffer[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

function crc32Of(parts: readonly Buffer[]): string {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(parts.reduce((sum, part) => crc32(part, sum), 0))
  return octets.toString('base64')
}
