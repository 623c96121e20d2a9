/** Names of the algorithms with which certificates are signed. */
import type { X509Certificate } from 'node:crypto'
import { readElements, readOnlyElement } from './der.ts'

/** The digest when the parameters name none (RFC 8017 §A.2.3). */
const pssDefault = 'SHA-1'

/** Object identifiers in DER (RFC 8017 §B.1). */
const digests: Readonly<Record<string, string>> = {
  '2b0e03021a': 'SHA-1',
  '608648016503040204': 'SHA-224',
  '608648016503040201': 'SHA-256',
  '608648016503040202': 'SHA-384',
  '608648016503040203': 'SHA-512',
}

/** Returns OpenSSL's name; adds the digest for RSASSA-PSS, whose name does not include it. */
export function signatureName({ raw, signatureAlgorithm, signatureAlgorithmOid }: X509Certificate): string {
  const name = signatureAlgorithm ?? signatureAlgorithmOid
  return /pss/i.test(name) ? `${name} with ${pssDigest(raw)}` : name
}

function pssDigest(certificate: Buffer): string {
  try {
    const [, algorithm] = readElements(readOnlyElement(certificate).content)
    const [, parameters] = readElements(algorithm?.content ?? Buffer.alloc(0))
    const hash = readElements(parameters?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === 0xa0)
    if (!hash) return pssDefault
    const [id] = readElements(readOnlyElement(hash.content).content)
    return digests[id?.content.toString('hex') ?? ''] ?? 'an unknown digest'
  } catch {
    return 'an unknown digest'
  }
}
