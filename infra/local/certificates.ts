/** A certificate authority for this machine. Its keys and certificates are in memory or in one directory. */
import { dayMs } from '../../shared/contract/durations.ts'
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate and its private key in PEM. */
export interface CertificateAndKey {
  readonly certificate: string
  readonly privateKey: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const isExtractable = true

/** The common name of the authority. */
export const authorityName = 'mailflow local CA'

/** Issues certificates for this machine. With a directory, the next start uses the same authority and certificates. */
export class LocalAuthority {
  readonly #authority: CertificateAndKey
  readonly #directory: string | null

  private constructor(authority: CertificateAndKey, directory: string | null) {
    this.#authority = authority
    this.#directory = directory
  }

  /** @param directory stores keys and certificates; null keeps them in memory */
  static async open(directory: string | null): Promise<LocalAuthority> {
    const create = () => selfSigned(authorityName, { authority: true })
    return new LocalAuthority(await loadOrCreate(directory, 'authority', create), directory)
  }

  /** The authority's certificate in PEM. */
  get certificate(): string {
    return this.#authority.certificate
  }

  /** Issues a certificate for a host name, for TLS servers and clients, valid for a year. */
  issue(name: string): Promise<CertificateAndKey> {
    return loadOrCreate(this.#directory, name, () => issueFrom(this.#authority, name))
  }

  /** Issues another certificate for the name, which is not stored. */
  issueUncached(name: string): Promise<CertificateAndKey> {
    return issueFrom(this.#authority, name)
  }
}

export async function selfSigned(name: string, { authority = false } = {}): Promise<CertificateAndKey> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, isExtractable, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    ...validity(10 * 365),
    extensions: authority
      ? [
          new BasicConstraintsExtension(true, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
          await SubjectKeyIdentifierExtension.create(keys.publicKey),
        ]
      : leafExtensions(name),
  })
  return toPem(certificate, keys.privateKey)
}

async function issueFrom(authority: CertificateAndKey, name: string): Promise<CertificateAndKey> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, isExtractable, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const der = PemConverter.decodeFirst(authority.privateKey)
  const signingKey = (await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, [
    'sign',
  ])) as webcrypto.CryptoKey
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: new X509Certificate(authority.certificate).subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    ...validity(365),
    extensions: leafExtensions(name),
  })
  return toPem(certificate, keys.privateKey)
}

function leafExtensions(name: string) {
  return [
    new BasicConstraintsExtension(false),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
  ]
}

/** The validity begins yesterday, so that a host whose clock is behind accepts the certificate. */
function validity(days: number) {
  return { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + days * dayMs) }
}

async function toPem(
  certificate: X509Certificate,
  privateKey: webcrypto.CryptoKey,
): Promise<CertificateAndKey> {
  const key = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return { certificate: certificate.toString('pem'), privateKey: PemConverter.encode(key, 'PRIVATE KEY') }
}

async function loadOrCreate(
  directory: string | null,
  name: string,
  create: () => Promise<CertificateAndKey>,
): Promise<CertificateAndKey> {
  if (directory === null) return create()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const [certificateFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)]
  if (existsSync(certificateFile) && existsSync(keyFile))
    return { certificate: readFileSync(certificateFile, 'utf8'), privateKey: readFileSync(keyFile, 'utf8') }
  const pair = await create()
  writeFileSync(certificateFile, pair.certificate)
  writeFileSync(keyFile, pair.privateKey, { mode: 0o600 })
  return pair
}
