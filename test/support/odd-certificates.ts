/** Certificates with any subject and extensions. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  type Extension,
  type JsonName,
  X509CertificateGenerator,
} from '@peculiar/x509'

export interface OddCertificate {
  /** The subject, as text of RFC 4514 or by attribute. */
  subject: string | JsonName
  extensions?: Extension[]
  notBefore?: Date
  notAfter?: Date
  /** The issuer. When absent, the certificate is self-signed. */
  authority?: Omit<OddCertificate, 'authority'>
}

const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const day = 86_400_000

/** Returns the certificate, and its issuer if there is one, as PEM. */
export async function certificateWith({ authority, ...own }: OddCertificate): Promise<string> {
  const [keys, issuer] = await Promise.all([newKeys(), newKeys()])
  if (!authority) return (await signed(own, keys, own.subject, keys)).toString('pem')
  const chain = await Promise.all([
    signed(own, keys, authority.subject, issuer),
    signed(authority, issuer, authority.subject, issuer),
  ])
  return chain.map((certificate) => `${certificate.toString('pem')}\n`).join('')
}

const newKeys = async () =>
  (await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair

function signed(
  { subject, extensions = [], notBefore, notAfter }: OddCertificate,
  keys: webcrypto.CryptoKeyPair,
  issuer: string | JsonName,
  issuerKeys: webcrypto.CryptoKeyPair,
) {
  const isAuthority = extensions.some((extension) => extension instanceof BasicConstraintsExtension)
  return X509CertificateGenerator.create({
    subject,
    issuer,
    publicKey: keys.publicKey,
    signingKey: issuerKeys.privateKey,
    signingAlgorithm,
    notBefore: notBefore ?? new Date(Date.now() - day),
    notAfter: notAfter ?? new Date(Date.now() + 30 * day),
    extensions: isAuthority ? extensions : [new BasicConstraintsExtension(false), ...extensions],
  })
}
