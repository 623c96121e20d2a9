/** Reads the parts of a certificate's DER (RFC 5280 §4.1) that Node does not expose. */
import type { X509Certificate } from 'node:crypto'
import { readElements, readOnlyElement } from './der.ts'
import { hasKeyUsage, keyUsages } from './extension.ts'

export interface CertificateParts {
  /** The content of the INTEGER, unchanged, for comparison octet by octet. */
  serial: Buffer
  /** The content of the signature's AlgorithmIdentifier. */
  signatureAlgorithm: Buffer
  /** The DER of the issuer's name. */
  issuer: Buffer
  /** The DER of the subject's name. */
  subject: Buffer
  /** The content of the public key's AlgorithmIdentifier. */
  keyAlgorithm: Buffer
  /** The content of the public key's BIT STRING. */
  publicKey: Buffer
}

/** The tag `[0]` of the version. */
const version = 0xa0

/** @throws RangeError for an invalid certificate */
export function readCertificateParts({ raw }: Pick<X509Certificate, 'raw'>): CertificateParts {
  const fields = readElements(readElements(readOnlyElement(raw).content)[0]?.content ?? Buffer.alloc(0))
  const [serial, signature, issuer, , subject, key] = fields[0]?.tag === version ? fields.slice(1) : fields
  const [keyAlgorithm, bits] = key ? readElements(key.content) : []
  if (!serial || !signature || !issuer || !subject || !keyAlgorithm || !bits)
    throw new RangeError('the DER is not an X.509 certificate')
  return {
    serial: serial.content,
    signatureAlgorithm: signature.content,
    issuer: issuer.encoded,
    subject: subject.encoded,
    keyAlgorithm: keyAlgorithm.content,
    // The first octet is the number of unused bits: 0.
    publicKey: bits.content.subarray(1),
  }
}

/**
 * Whether an authority's certificate may sign CRLs. Without the extension keyUsage it may (RFC 5280 §4.2.1.3).
 * @throws RangeError for an invalid certificate
 */
export const maySignLists = ({ raw }: Pick<X509Certificate, 'raw'>): boolean =>
  hasKeyUsage(raw, keyUsages.cRLSign)
