/** A certificate authority for tests, and certificates good and bad. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** PEM, as node:tls takes it. */
export interface Identity {
  cert: string
  key: string
}

export interface LeafOptions {
  /** dNSName entries. */
  names: string[]
  commonName?: string
  notBefore?: Date
  notAfter?: Date
  /** An RSA key instead of one on P-256. */
  rsa?: boolean
}

export interface Pki {
  /** The authority's own certificate, PEM. */
  ca: string
  issue(options: LeafOptions): Promise<Identity>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}
const day = 86_400_000

export async function createPki(name = 'Test CA'): Promise<Pki> {
  const keys = await generateKeys()
  const root = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    ...lifetime({}),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  return {
    ca: root.toString('pem'),
    async issue(options) {
      const leafKeys = await generateKeys(options.rsa ? rsa : algorithm)
      const certificate = await X509CertificateGenerator.create({
        subject: subjectOf(options),
        issuer: root.subject,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        ...lifetime(options),
        extensions: extensionsOf(options),
      })
      return identity(certificate, leafKeys.privateKey)
    },
  }
}

export async function selfSigned(options: LeafOptions): Promise<Identity> {
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: subjectOf(options),
    keys,
    signingAlgorithm: algorithm,
    ...lifetime(options),
    extensions: extensionsOf(options),
  })
  return identity(certificate, keys.privateKey)
}

export const daysFromNow = (days: number): Date => new Date(Date.now() + days * day)

const subjectOf = ({ names, commonName }: LeafOptions): string => `CN=${commonName ?? names[0] ?? 'nobody'}`

const lifetime = ({ notBefore, notAfter }: Partial<LeafOptions>) => ({
  notBefore: notBefore ?? daysFromNow(-1),
  notAfter: notAfter ?? daysFromNow(30),
})

const extensionsOf = ({ names }: LeafOptions) => [
  new BasicConstraintsExtension(false),
  ...(names.length > 0
    ? [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value })))]
    : []),
]

async function generateKeys(
  kind: typeof algorithm | typeof rsa = algorithm,
): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(kind, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
}

async function identity(certificate: X509Certificate, privateKey: webcrypto.CryptoKey): Promise<Identity> {
  const key = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') }
}
