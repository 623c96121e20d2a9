/**
 * Verifies signatures by the algorithms that authorities use (RFC 5280 §4.1.1.2, RFC 8017 §A.2.3, RFC 5758, RFC 8410).
 * The attack: a forged response with a weak signature. The defence: MD5 and SHA-1 are refused.
 */
import { constants, type KeyObject, verify } from 'node:crypto'
import { readElements, readOnlyElement, tags } from '../der.ts'

interface Scheme {
  /** Node's name of the hash; null if the key determines the hash. */
  hash: string | null
  keyType: readonly string[]
  pss?: { saltLength: number }
}

const rsa = ['rsa']
/** Schemes by the hexadecimal DER of the object identifier. */
const schemes: Readonly<Record<string, Scheme>> = {
  // sha256WithRSAEncryption, sha384WithRSAEncryption, sha512WithRSAEncryption
  '2a864886f70d01010b': { hash: 'sha256', keyType: rsa },
  '2a864886f70d01010c': { hash: 'sha384', keyType: rsa },
  '2a864886f70d01010d': { hash: 'sha512', keyType: rsa },
  // ecdsa-with-SHA256, ecdsa-with-SHA384, ecdsa-with-SHA512
  '2a8648ce3d040302': { hash: 'sha256', keyType: ['ec'] },
  '2a8648ce3d040303': { hash: 'sha384', keyType: ['ec'] },
  '2a8648ce3d040304': { hash: 'sha512', keyType: ['ec'] },
  // id-Ed25519, id-Ed448
  '2b6570': { hash: null, keyType: ['ed25519'] },
  '2b6571': { hash: null, keyType: ['ed448'] },
}

/** id-RSASSA-PSS */
const rsaPss = '2a864886f70d01010a'
/** Node's names of hashes by the hexadecimal DER of the object identifier. */
const hashes: Readonly<Record<string, string>> = {
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
}

/** @param algorithm DER of the AlgorithmIdentifier */
export function isSignedBy(octets: Buffer, algorithm: Buffer, signature: Buffer, key: KeyObject): boolean {
  try {
    const scheme = schemeOf(algorithm)
    if (scheme === null || !scheme.keyType.includes(key.asymmetricKeyType ?? '')) return false
    const padding = scheme.pss
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.pss.saltLength }
      : {}
    return verify(scheme.hash, octets, { key, ...padding }, signature)
  } catch {
    return false
  }
}

function schemeOf(algorithm: Buffer): Scheme | null {
  const [id, parameters] = readElements(readOnlyElement(algorithm).content)
  if (id?.tag !== tags.objectIdentifier) return null
  const name = id.content.toString('hex')
  return name === rsaPss ? pssScheme(parameters?.content ?? Buffer.alloc(0)) : (schemes[name] ?? null)
}

/**
 * RFC 4055 §3.1: the field `[0]` is the hash, by default SHA-1, which is refused; `[2]` is the salt length, by default
 * 20.
 */
function pssScheme(parameters: Buffer): Scheme | null {
  const fields = readElements(parameters)
  const field = (tag: number) => fields.find((each) => each.tag === tag)?.content
  const hashField = field(0xa0)
  const [id] = hashField ? readElements(readOnlyElement(hashField).content) : []
  const hash = hashes[id?.content.toString('hex') ?? '']
  const saltLengthField = field(0xa2)
  if (hash === undefined) return null
  return {
    hash,
    keyType: ['rsa', 'rsa-pss'],
    pss: {
      saltLength: saltLengthField
        ? Number(`0x${readOnlyElement(saltLengthField).content.toString('hex')}`)
        : 20,
    },
  }
}
