/**
 * Pairs the certificates that a server presents with their keys. An administrator may give an RSA and an ECDSA
 * certificate for clients of either kind, in any order, with issuers among them. Mismatches are reported before the
 * first client connects.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { isIssuedBy } from './issued-by.ts'
import { certificatesIn } from './pem.ts'

/** A key and its certificates, in PEM. */
export interface ServerIdentity {
  key: string
  /** The certificate, followed by its available issuers. */
  cert: string
}

const privateKey = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^-]*-----END \1?PRIVATE KEY-----/g

/** Limit for the issuers of a certificate, more than any path needs. */
const maxIssuers = 8

/**
 * @param keys PEM blocks
 * @param certificates PEM blocks
 * @throws Error in one line that names the key or certificate that does not match, and the reason
 */
export function serverIdentities(keys: string, certificates: string): ServerIdentity[] {
  const available = distinct(readCertificates(certificates))
  const pairs = readKeys(keys).map((key, index) => pairOf(key, index, available))
  refuseDuplicateKeyType(pairs)
  const leaves = new Set(pairs.map(({ leaf }) => leaf))
  const others = available.filter((certificate) => !leaves.has(certificate))
  const unusedCertificate = others.find(({ ca }) => !ca)
  if (unusedCertificate)
    throw new Error(`TLS_PRIVATE_KEY: no key matches the certificate ${nameOf(unusedCertificate)}`)
  return pairs.map(({ key, leaf }) => ({
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: [leaf, ...issuersOf(leaf, others)].map(String).join(''),
  }))
}

interface Pair {
  key: KeyObject
  leaf: X509Certificate
}

function pairOf(key: KeyObject, index: number, available: readonly X509Certificate[]): Pair {
  const [leaf, second] = available.filter((certificate) => certificate.checkPrivateKey(key))
  const keyName = `key ${index + 1} (${keyTypeOf(key)})`
  if (!leaf) throw new Error(`TLS_CERTIFICATE: no certificate matches ${keyName} in TLS_PRIVATE_KEY`)
  if (second)
    throw new Error(
      `TLS_CERTIFICATE: ${nameOf(leaf)} and ${nameOf(second)} both match ${keyName} in TLS_PRIVATE_KEY`,
    )
  return { key, leaf }
}

/** OpenSSL holds one certificate per key type, so a second one would replace the first. */
function refuseDuplicateKeyType(pairs: readonly Pair[]): void {
  for (const [index, { key, leaf }] of pairs.entries()) {
    const first = pairs.slice(0, index).find((other) => keyTypeOf(other.key) === keyTypeOf(key))
    if (first)
      throw new Error(
        `TLS_PRIVATE_KEY: the keys of ${nameOf(first.leaf)} and ${nameOf(leaf)} are both ${keyTypeOf(key)}; give one key of each type`,
      )
  }
}

/** The issuers among the other certificates, in order towards the root. */
export function issuersOf(leaf: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = []
  let below = leaf
  while (chain.length < maxIssuers) {
    const issuer = others.find((other) => !chain.includes(other) && isIssuedBy(below, other))
    if (!issuer) return chain
    chain.push(issuer)
    below = issuer
  }
  return chain
}

function readCertificates(pem: string): X509Certificate[] {
  const blocks = certificatesIn(pem)
  if (blocks.length === 0) throw new Error('TLS_CERTIFICATE: holds no certificate in PEM')
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new Error(`TLS_CERTIFICATE: certificate ${index + 1} in PEM cannot be read`)
    }
  })
}

function readKeys(pem: string): KeyObject[] {
  const blocks = pem.match(privateKey) ?? []
  if (blocks.length === 0) throw new Error('TLS_PRIVATE_KEY: holds no private key in PEM')
  return blocks.map((block, index) => {
    const keyName = `TLS_PRIVATE_KEY: key ${index + 1} in PEM`
    if (block.includes('ENCRYPTED')) throw new Error(`${keyName} is encrypted; give it without a passphrase`)
    try {
      return createPrivateKey(block)
    } catch {
      throw new Error(`${keyName} cannot be read`)
    }
  })
}

const distinct = (certificates: readonly X509Certificate[]): X509Certificate[] => [
  ...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values(),
]

const keyTypeOf = (key: KeyObject): string => (key.asymmetricKeyType ?? 'unknown').toUpperCase()

const nameOf = ({ subject, fingerprint256 }: X509Certificate): string =>
  `${(subject ?? '').replaceAll('\n', ', ')} (${fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()})`
