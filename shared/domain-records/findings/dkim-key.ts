/** Reads a DKIM key record (RFC 6376 §3.6.1). Pure. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { parseTagList } from './tag-list.ts'

export type DkimKey =
  | { kind: 'Usable'; description: string; warnings: readonly string[] }
  | { kind: 'Unusable'; fault: string }

/** RFC 8301 §3.2: receivers reject shorter RSA keys; signers should use keys of the second size. */
const minRsaBits = 1024
const recommendedRsaBits = 2048

export function readDkimKey(text: string): DkimKey {
  const tags = parseTagList(text)
  if (tags === null)
    return unusable('A part of the record is not of the form tag=value, or a tag is repeated.')
  if (tags.has('v') && (tags.get('v') !== 'DKIM1' || [...tags.keys()][0] !== 'v'))
    return unusable('v must be the first tag, and its value DKIM1.')
  // RFC 6376 §3.2: white space within the value is not part of it.
  const key = tags.get('p')?.replaceAll(/\s/g, '')
  if (key === undefined) return unusable('The record has no p, the public key.')
  if (key === '') return unusable('The key is revoked: p is empty.')
  // RFC 8301 §3.1: rsa-sha256 is the only algorithm for RSA keys.
  if (!listOf(tags.get('h') ?? 'sha256').includes('sha256'))
    return unusable(`With h=${tags.get('h')}, receivers reject signatures with SHA-256.`)
  const services = listOf(tags.get('s') ?? '*')
  if (!services.some((service) => ['*', 'email', 'tlsrpt'].includes(service)))
    return unusable(`With s=${tags.get('s')}, the key is not for mail.`)
  const warnings = [
    ...(listOf(tags.get('t') ?? '').includes('y')
      ? ['With t=y, receivers treat signed mail as unsigned: it is for tests.']
      : []),
    ...(services.includes('*') || services.includes('email')
      ? []
      : ['With s=tlsrpt, the key is only for TLS reports.']),
  ]
  const type = tags.get('k') ?? 'rsa'
  if (type === 'rsa') return readRsaKey(key, warnings)
  if (type !== 'ed25519') return unusable(`k=${type} is not a key type that receivers know.`)
  return Buffer.from(key, 'base64').length === 32
    ? {
        kind: 'Usable',
        description: 'an Ed25519 key',
        warnings: [...warnings, 'Many receivers do not verify Ed25519: sign with an RSA key too.'],
      }
    : unusable('p is not an Ed25519 key.')
}

const listOf = (value: string): string[] => value.split(':').map((part) => part.trim())

const unusable = (fault: string): DkimKey => ({ kind: 'Unusable', fault })

function readRsaKey(base64: string, warnings: readonly string[]): DkimKey {
  const bits = parseRsaKey(Buffer.from(base64, 'base64'))?.asymmetricKeyDetails?.modulusLength
  if (bits === undefined) return unusable('p is not an RSA key.')
  const description = `an RSA key of ${bits} bits`
  if (bits < minRsaBits)
    return unusable(`It is ${description}; receivers reject keys of less than ${minRsaBits} bits.`)
  if (bits >= recommendedRsaBits) return { kind: 'Usable', description, warnings }
  return {
    kind: 'Usable',
    description,
    warnings: [...warnings, `It is ${description}; use ${recommendedRsaBits} bits.`],
  }
}

/** RFC 6376 has both forms of RSA keys, in its text and in its examples. */
function parseRsaKey(der: Buffer): KeyObject | null {
  for (const type of ['spki', 'pkcs1'] as const)
    try {
      const key = createPublicKey({ key: der, format: 'der', type })
      if (key.asymmetricKeyType === 'rsa') return key
    } catch {
      // Tries the other form.
    }
  return null
}
