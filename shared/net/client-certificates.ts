/**
 * The client certificates that next hops request, from Secrets Manager. Each secret is read again after some minutes,
 * so a new certificate needs no deployment. The certificate is checked before a connection: otherwise the next hop's
 * refusal would be the only sign of a wrong key or an expired certificate. When Secrets Manager fails, the last usable
 * secret is used until its certificate expires. Not covered: whether the partner accepts the certificate.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { minuteMs } from '../contract/durations.ts'
import { clientCertificateSecret, defaultStackName } from '../contract/secrets.ts'
import { certificatesIn } from '../tls/pem.ts'
import { validFrom, validTo } from '../tls/validity.ts'
import type { ClientCredentials } from './tls-client.ts'

/**
 * A secret that cannot be used. The error's text continues a sentence that begins with the secret's name, and does not
 * contain the secret's content.
 */
export class CredentialsError extends Error {}

/** Time until a usable secret is read again. */
const cacheTtlMs = 5 * minuteMs
/** Time until the secret is read again when the last read gave no usable certificate. */
const failureCacheTtlMs = 30_000
const requestTimeoutMs = 10_000

interface CacheEntry {
  /** Milliseconds since the epoch. */
  expiresAtMs: number
  credentials: Promise<ValidatedCredentials>
}

interface ValidatedCredentials extends ClientCredentials {
  notBefore: Date
  notAfter: Date
}

export class ClientCertificates {
  readonly #secrets: SecretsManagerClient
  readonly #now: () => Date
  readonly #stack: string
  readonly #cache = new Map<string, CacheEntry>()
  readonly #lastValid = new Map<string, ValidatedCredentials>()

  /** @param stack the stack whose secrets are read */
  constructor(
    secrets: SecretsManagerClient,
    now: () => Date = () => new Date(),
    stack: string = defaultStackName,
  ) {
    this.#secrets = secrets
    this.#now = now
    this.#stack = stack
  }

  /**
   * @param name as in the connector
   * @throws CredentialsError when the secret is missing, unreadable or unusable
   */
  async read(name: string): Promise<ClientCredentials> {
    const { certificate, privateKey, notBefore, notAfter } = await this.#readCached(name)
    const now = this.#now()
    if (now > notAfter)
      throw new CredentialsError(`holds a certificate that expired at ${notAfter.toISOString()}`)
    if (now < notBefore)
      throw new CredentialsError(`holds a certificate that is valid from ${notBefore.toISOString()}`)
    return { certificate, privateKey }
  }

  #readCached(name: string): Promise<ValidatedCredentials> {
    const cached = this.#cache.get(name)
    const now = this.#now().getTime()
    if (cached && now < cached.expiresAtMs) return cached.credentials
    const credentials = this.#fetch(name)
    const entry = { expiresAtMs: now + cacheTtlMs, credentials }
    this.#cache.set(name, entry)
    credentials.catch(() => {
      entry.expiresAtMs = now + failureCacheTtlMs
    })
    return credentials
  }

  async #fetch(name: string): Promise<ValidatedCredentials> {
    const text = await this.#readSecret(name)
    const lastValid = this.#lastValid.get(name)
    if (text === null) {
      if (lastValid) return lastValid
      throw new CredentialsError('cannot be read now: Secrets Manager does not answer')
    }
    const validated = parseCertificateSecret(text)
    this.#lastValid.set(name, validated)
    return validated
  }

  /** @returns null for a temporary failure of the service */
  async #readSecret(name: string): Promise<string | null> {
    const SecretId = clientCertificateSecret(name, this.#stack)
    try {
      const response = await this.#secrets.send(new GetSecretValueCommand({ SecretId }), {
        abortSignal: AbortSignal.timeout(requestTimeoutMs),
      })
      return response.SecretString ?? ''
    } catch (error) {
      const knownFault = faultsByErrorName[error instanceof Error ? error.name : '']
      if (knownFault === undefined) return null
      throw new CredentialsError(knownFault)
    }
  }
}

/** Faults that an administrator must fix, by the names of Secrets Manager's errors. */
const faultsByErrorName: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'does not exist',
  AccessDeniedException: 'cannot be read: this function has no permission',
  DecryptionFailure: 'cannot be decrypted: it must be encrypted with the key of Secrets Manager itself',
  InvalidRequestException: 'is marked for deletion',
}

/**
 * Parses a secret's JSON and checks the key against the certificate.
 * @throws CredentialsError
 */
export function parseCertificateSecret(text: string): ValidatedCredentials {
  const { certificate, privateKey } = parseFields(text)
  const [leaf] = certificatesIn(certificate)
  if (leaf === undefined) throw new CredentialsError('has no PEM certificate in its field certificate')
  const [parsed, key] = [parseCertificate(leaf), parsePrivateKey(privateKey)]
  if (!parsed.checkPrivateKey(key))
    throw new CredentialsError('has a private key that is not that of its first certificate')
  assertUsableForTls({ certificate, privateKey })
  return { certificate, privateKey, notBefore: validFrom(parsed), notAfter: validTo(parsed) }
}

/** OpenSSL also refuses keys that are too small and chains with an unreadable certificate. */
function assertUsableForTls({ certificate, privateKey }: ClientCredentials): void {
  try {
    createSecureContext({ cert: certificate, key: privateKey })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new CredentialsError(`holds a certificate or key that TLS cannot use: ${code}`)
  }
}

function parseFields(text: string): ClientCredentials {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new CredentialsError('is not JSON')
  }
  const { certificate, privateKey } = (json ?? {}) as Record<string, unknown>
  if (typeof certificate !== 'string' || typeof privateKey !== 'string')
    throw new CredentialsError('lacks one of the JSON fields certificate and privateKey')
  return { certificate, privateKey }
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new CredentialsError('holds a first certificate that cannot be read')
  }
}

function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new CredentialsError('holds a private key that cannot be read, or is encrypted')
  }
}
