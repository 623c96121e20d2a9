/** A certificate authority for tests, with correct and faulty certificates. */
import 'reflect-metadata'
import { createPrivateKey, X509Certificate as NodeCertificate, sign, webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate and its key as PEM, for node:tls. */
export interface Identity {
  cert: string
  key: string
}

export interface LeafOptions {
  /** dNSName entries. */
  names: string[]
  commonName?: string
  /** Additional iPAddress entries. */
  addresses?: string[]
  /** An additional rfc822Name entry. */
  email?: string
  notBefore?: Date
  notAfter?: Date
  /** An RSA key in place of a key on P-256: a number is its length in bits; true means 2048. */
  rsa?: boolean | number
  /** The signature's hash. Default: SHA-256. */
  hash?: 'SHA-1'
  /** The extended key usages. When absent, the certificate has no such extension. */
  purposes?: Purpose[]
  /** Extensions in addition to those of the other options. */
  extensions?: Extension[]
}

export type Purpose = keyof typeof purposeIds

const purposeIds = {
  serverAuth: ExtendedKeyUsage.serverAuth,
  clientAuth: ExtendedKeyUsage.clientAuth,
  emailProtection: ExtendedKeyUsage.emailProtection,
  ocspSigning: ExtendedKeyUsage.ocspSigning,
  any: '2.5.29.37.0',
}

export interface AuthorityOptions {
  purposes?: Purpose[]
  pathLength?: number
  /** False: basicConstraints do not permit the certificate to issue others. Its key can sign nevertheless. */
  isAuthority?: boolean
  /** The only domain for which the authority may issue (RFC 5280 §4.2.1.10). */
  permitted?: string
  notBefore?: Date
  notAfter?: Date
  /** The key usage. By default, the authority may sign certificates and CRLs. */
  keyUsage?: KeyUsageFlags
  extensions?: Extension[]
}

export interface Pki {
  /** The authority's own certificate, PEM. */
  ca: string
  /** `cert` holds the leaf, followed by the authority's own chain without the root. */
  issue(options: LeafOptions): Promise<Identity>
  /** An authority below this one. */
  subordinate(name: string, options?: AuthorityOptions): Promise<Pki>
  /** A self-signed certificate with the authority's name and key, without name constraints or path length, as PEM. */
  twin(): Promise<string>
  /** Signs with the authority's key: ECDSA with SHA-256, in DER. */
  sign(octets: Buffer): Promise<Buffer>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}
const rsaOf = (bits: true | number) => ({ ...rsa, ...(bits === true ? {} : { modulusLength: bits }) })
const day = 86_400_000

export async function createPki(name = 'Test CA'): Promise<Pki> {
  const keys = await generateKeys()
  const root = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    ...lifetime({}),
    extensions: authorityExtensions({}),
  })
  return authority(root, keys, '')
}

function authority(own: X509Certificate, keys: webcrypto.CryptoKeyPair, chain: string): Pki {
  const below = { issuer: own.subject, signingKey: keys.privateKey, signingAlgorithm: algorithm }
  return {
    ca: own.toString('pem'),
    async issue(options) {
      const leafKeys = await generateKeys(options.rsa ? rsaOf(options.rsa) : algorithm)
      const certificate = await X509CertificateGenerator.create({
        ...below,
        ...(options.hash && { signingAlgorithm: { ...algorithm, hash: options.hash } }),
        subject: subjectOf(options),
        publicKey: leafKeys.publicKey,
        ...lifetime(options),
        extensions: extensionsOf(options),
      })
      const { cert, key } = await identity(certificate, leafKeys.privateKey)
      return { cert: [cert, chain].filter(Boolean).join('\n'), key }
    },
    async subordinate(name, options = {}) {
      const ownKeys = await generateKeys()
      const certificate = await X509CertificateGenerator.create({
        ...below,
        subject: `CN=${name}`,
        publicKey: ownKeys.publicKey,
        ...lifetime(options),
        extensions: authorityExtensions(options),
      })
      return authority(certificate, ownKeys, [certificate.toString('pem'), chain].filter(Boolean).join('\n'))
    },
    async twin() {
      const certificate = await X509CertificateGenerator.createSelfSigned({
        name: own.subject,
        keys,
        signingAlgorithm: algorithm,
        ...lifetime({}),
        extensions: authorityExtensions({}),
      })
      return certificate.toString('pem')
    },
    async sign(octets) {
      const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
      return sign('sha256', octets, createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' }))
    },
  }
}

const authorityExtensions = ({
  purposes,
  pathLength,
  permitted,
  isAuthority = true,
  keyUsage = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign,
  extensions = [],
}: AuthorityOptions) => [
  new BasicConstraintsExtension(isAuthority, isAuthority ? pathLength : undefined, true),
  ...(isAuthority ? [new KeyUsagesExtension(keyUsage, true)] : []),
  ...extendedKeyUsage(purposes),
  ...(permitted === undefined ? [] : [new Extension('2.5.29.30', true, nameConstraints(permitted))]),
  ...extensions,
]

/**
 * DER of the constraint to one dNSName (RFC 5280 §4.2.1.10), from the outside: SEQUENCE 0x30, permittedSubtrees 0xa0,
 * GeneralSubtree 0x30, dNSName 0x82. The name is short, so each length fits in one octet.
 */
function nameConstraints(permitted: string): Uint8Array<ArrayBuffer> {
  const within = (tag: number, content: Buffer) =>
    Buffer.concat([Buffer.from([tag, content.length]), content])
  return Uint8Array.from(within(0x30, within(0xa0, within(0x30, within(0x82, Buffer.from(permitted))))))
}

const extendedKeyUsage = (purposes?: Purpose[]) =>
  purposes ? [new ExtendedKeyUsageExtension(purposes.map((purpose) => purposeIds[purpose]))] : []

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

/**
 * Replaces the start of the certificate's validity by something that is not a date. OpenSSL still reads the
 * certificate.
 */
export function withoutDates(pem: string): string {
  const der = Buffer.from(PemConverter.decodeFirst(pem))
  // Tag and length of a UTCTime: twelve digits and `Z`.
  const time = der.indexOf(Buffer.from([0x17, 13])) + 2
  der.fill('x', time, time + 12)
  return PemConverter.encode(der, 'CERTIFICATE')
}

export const daysFromNow = (days: number): Date => new Date(Date.now() + days * day)

const subjectOf = ({ names, commonName }: LeafOptions): string => `CN=${commonName ?? names[0] ?? 'unnamed'}`

const lifetime = ({ notBefore, notAfter }: Partial<LeafOptions>) => ({
  notBefore: notBefore ?? daysFromNow(-1),
  notAfter: notAfter ?? daysFromNow(30),
})

function extensionsOf({ names, addresses = [], email, purposes, extensions = [] }: LeafOptions) {
  const alternatives = [
    ...names.map((value) => ({ type: 'dns' as const, value })),
    ...addresses.map((value) => ({ type: 'ip' as const, value })),
    ...(email === undefined ? [] : [{ type: 'email' as const, value: email }]),
  ]
  return [
    new BasicConstraintsExtension(false),
    ...extendedKeyUsage(purposes),
    ...(alternatives.length > 0 ? [new SubjectAlternativeNameExtension(alternatives)] : []),
    ...extensions,
  ]
}

async function generateKeys(
  kind: typeof algorithm | typeof rsa = algorithm,
): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(kind, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
}

async function identity(certificate: X509Certificate, privateKey: webcrypto.CryptoKey): Promise<Identity> {
  const key = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') }
}

/** Returns the fingerprint in the notation of connectors, traces and notices. */
export const fingerprintOf = ({ cert }: Identity): string =>
  new NodeCertificate(cert).fingerprint256.replaceAll(':', '').toLowerCase()
