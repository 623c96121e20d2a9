/**
 * AWS Signature Version 4 in the Authorization header, for the requests that bypass the SDK: S3 PutObject, SQS
 * SendMessageBatch, Route 53, and the command line's requests to the API. A signer derives its key once per day and secret.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'

export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
  /** Set for temporary credentials, such as those of a task's role. */
  sessionToken?: string | undefined
}

export interface CredentialScope {
  region: string
  /** The service's name in the credential scope: `s3`, `sqs`, `execute-api`. */
  service: string
}

export interface UnsignedRequest {
  method: string
  /** The path as sent, percent-encoded once. A segment may be `.` or `..` for S3 only. */
  path: string
  /** The query as sent, percent-encoded once, without `?`. */
  query?: string
  /** Names in lower case, `host` included. Values have no leading, trailing or doubled white space. */
  headers: Readonly<Record<string, string>>
  /** SHA-256 of the body in hexadecimal, or `UNSIGNED-PAYLOAD`. */
  payloadHash: string
}

const algorithm = 'AWS4-HMAC-SHA256'

export class Signer {
  readonly #scope: CredentialScope
  #cachedKey: { day: string; secret: string; key: KeyObject } | null = null

  constructor(scope: CredentialScope) {
    this.#scope = scope
  }

  /** @returns the request's headers and the headers of the signature */
  sign(
    { method, path, query, headers, payloadHash }: UnsignedRequest,
    credentials: Credentials,
    at: Date,
  ): Record<string, string> {
    const time = at.toISOString().replace(/[-:]|\.\d+/g, '')
    const { region, service } = this.#scope
    const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
    const signedHeaders: Record<string, string> = { ...headers, 'x-amz-date': time }
    if (credentials.sessionToken !== undefined)
      signedHeaders['x-amz-security-token'] = credentials.sessionToken
    const names = Object.keys(signedHeaders).sort()
    const lines = names.map((name) => `${name}:${signedHeaders[name]}\n`).join('')
    const canonicalPath = service === 's3' ? path : encodePathAgain(path)
    const canonicalQuery = query ? sortParameters(query) : ''
    const canonical = `${method}\n${canonicalPath}\n${canonicalQuery}\n${lines}\n${names.join(';')}\n${payloadHash}`
    const stringToSign = `${algorithm}\n${time}\n${scope}\n${hash('sha256', canonical)}`
    const signature = createHmac('sha256', this.#signingKey(credentials, time.slice(0, 8)))
      .update(stringToSign)
      .digest('hex')
    signedHeaders.authorization = `${algorithm} Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    return signedHeaders
  }

  /**
   * Returns a KeyObject: with a Buffer, createHmac would create a KeyObject for each signature, which would be the
   * largest cost of a signature.
   */
  #signingKey({ secretAccessKey: secret }: Credentials, day: string): KeyObject {
    if (this.#cachedKey?.day !== day || this.#cachedKey.secret !== secret) {
      const { region, service } = this.#scope
      const octets = [day, region, service, 'aws4_request'].reduce<Buffer>(
        (key, part) => createHmac('sha256', key).update(part).digest(),
        Buffer.from(`AWS4${secret}`),
      )
      this.#cachedKey = { day, secret, key: createSecretKey(octets) }
    }
    return this.#cachedKey.key
  }
}

/** For every service except S3, the signed path has no empty segments and is encoded twice. */
const encodePathAgain = (path: string): string =>
  percentEncode(path.replace(/\/{2,}/g, '/')).replace(/%2F/g, '/')

/** Sorts the parameters by name, then by value, each with its `=`. */
function sortParameters(query: string): string {
  const parameters = query.split('&')
  const parts = parameters.map((parameter) => /^([^=]*)=?(.*)$/s.exec(parameter)?.slice(1) ?? [])
  return (
    parts
      // A space sorts before every character that an encoded name can contain.
      .map((parameter) => parameter.map((part) => percentEncode(decodeURIComponent(part))).join(' '))
      .sort()
      .map((parameter) => parameter.replace(' ', '='))
      .join('&')
  )
}

/** Encodes everything except the unreserved characters of RFC 3986 §2.3. */
export const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
