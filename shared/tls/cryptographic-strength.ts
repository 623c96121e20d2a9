/**
 * Refuses certificates with weak keys or signatures. The attacks: the factors of a short RSA key are found; two
 * certificates with one MD5 or SHA-1 digest get one signature (CVE-2004-2761). The defence: only the
 * algorithms below, which OpenSSL's security level 2 (112 bits) accepts too. Level 2 also accepts DSA, binary and
 * twisted curves, and signatures with SHA-3, which are refused here: no public CA may use them.
 */
import type { KeyObject } from 'node:crypto'
import type { CertificateParts } from './certificate-parts.ts'
import { readElements, readOnlyElement, tags } from './der.ts'

const minRsaBits = 2048

/** Key types that have one size, by Node's names: Edwards curves and ML-DSA. */
const fixedSizeKeyTypes = ['ed25519', 'ed448', 'ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87']

/** By OpenSSL's names: P-224, P-256, P-384, P-521, and curves that level 2 accepts too. */
const curves = [
  'secp224r1',
  'prime256v1',
  'secp384r1',
  'secp521r1',
  'secp256k1',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
]

/**
 * The fault of a public key, such as `has an RSA key of 1024 bits; at least 2048 are required`.
 * @returns null for an accepted key: RSA of at least 2048 bits, a named curve of the list, Ed25519, Ed448 or ML-DSA
 * @throws Error when the key cannot be read
 */
export function keyFault(key: KeyObject, { keyAlgorithm }: CertificateParts): string | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'rsa' || type === 'rsa-pss') {
    const bits = details?.modulusLength ?? 0
    return bits >= minRsaBits ? null : `has an RSA key of ${bits} bits; at least ${minRsaBits} are required`
  }
  if (type === 'ec') {
    // CVE-2020-0601: with explicit parameters, anyone can choose a generator that fits another CA's public key.
    if (readElements(keyAlgorithm)[1]?.tag !== tags.objectIdentifier)
      return 'has a key on a curve with explicit parameters, which is not accepted'
    const curve = details?.namedCurve ?? 'unknown'
    return curves.includes(curve) ? null : `has a key on the curve ${curve}, which is not accepted`
  }
  return type !== undefined && fixedSizeKeyTypes.includes(type)
    ? null
    : `has a key of the type ${type ?? 'unknown'}, which is not accepted`
}

/** The content of object identifiers, hexadecimal DER. */
const signatures = {
  accepted: [
    // RSA with SHA-256, SHA-384, SHA-512, SHA-224, SHA-512/256 (RFC 8017 appendix A.2.4)
    '2a864886f70d01010b',
    '2a864886f70d01010c',
    '2a864886f70d01010d',
    '2a864886f70d01010e',
    '2a864886f70d010110',
    // ECDSA with SHA-224, SHA-256, SHA-384, SHA-512 (RFC 5758 §3.2)
    '2a8648ce3d040301',
    '2a8648ce3d040302',
    '2a8648ce3d040303',
    '2a8648ce3d040304',
    // Ed25519, Ed448 (RFC 8410 §3)
    '2b6570',
    '2b6571',
    // ML-DSA-44, ML-DSA-65, ML-DSA-87
    '608648016503040311',
    '608648016503040312',
    '608648016503040313',
  ],
  pss: '2a864886f70d01010a',
  mgf1: '2a864886f70d010108',
  withMd5: ['2a864886f70d010104'],
  withSha1: ['2a864886f70d010105', '2a8648ce3d0401'],
}

/** SHA-224, SHA-256, SHA-384, SHA-512 and SHA-512/256: the content of object identifiers, hexadecimal DER. */
const digests = [
  '608648016503040204',
  '608648016503040201',
  '608648016503040202',
  '608648016503040203',
  '608648016503040206',
]

/**
 * The fault of a certificate's signature algorithm, such as `is signed with SHA-1, which is not accepted`.
 * @returns null for RSA (PKCS #1 v1.5 or PSS) and ECDSA with SHA-2, EdDSA and ML-DSA
 * @throws RangeError for an invalid algorithm
 */
export function signatureFault({ signatureAlgorithm }: CertificateParts): string | null {
  const [type, parameters] = readElements(signatureAlgorithm)
  const id = type?.content.toString('hex') ?? ''
  if (signatures.accepted.includes(id)) return null
  if (id === signatures.pss) return pssFault(parameters?.content)
  if (signatures.withMd5.includes(id)) return 'is signed with MD5, which is not accepted'
  if (signatures.withSha1.includes(id)) return 'is signed with SHA-1, which is not accepted'
  return 'is signed with an algorithm that is not accepted'
}

/** RFC 4055 §3.1: the parameters are hash `[0]` and mask generation function `[1]`; the default of both is SHA-1. */
function pssFault(parameters: Buffer | undefined): string | null {
  const elements = parameters ? readElements(parameters) : []
  const contentOf = (tag: number) => {
    const element = elements.find((each) => each.tag === tag)
    return element ? readElements(readOnlyElement(element.content).content) : []
  }
  const [hash] = contentOf(0xa0)
  const [mask, maskHash] = contentOf(0xa1)
  const isMgf1 = mask?.content.toString('hex') === signatures.mgf1
  const hashes = [hash, isMgf1 && maskHash ? readElements(maskHash.content)[0] : undefined]
  return hashes.every((each) => each !== undefined && digests.includes(each.content.toString('hex')))
    ? null
    : 'is signed with RSASSA-PSS and a hash that is not accepted'
}
