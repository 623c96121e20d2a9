/** Reads certificate extensions (RFC 5280 §4.2) that Node does not expose. */
import { readElements, readOnlyElement, tags } from './der.ts'

export interface Extension {
  /** The content of the object identifier, hexadecimal DER. */
  id: string
  isCritical: boolean
  content: Buffer
}

/** Extensions by their object identifiers, hexadecimal DER. */
export const extensionIds = {
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  nameConstraints: '551d1e',
  crlDistributionPoints: '551d1f',
  certificatePolicies: '551d20',
  policyMappings: '551d21',
  policyConstraints: '551d24',
  extendedKeyUsage: '551d25',
  inhibitAnyPolicy: '551d36',
  /** 1.3.6.1.4.1.11129.2.4.3 (RFC 6962 §3.1). */
  precertificatePoison: '2b06010401d679020403',
} as const

/** Bits of the first octet of keyUsage (RFC 5280 §4.2.1.3). */
export const keyUsages = {
  digitalSignature: 0x80,
  keyEncipherment: 0x20,
  keyAgreement: 0x08,
  keyCertSign: 0x04,
  cRLSign: 0x02,
} as const

/** The tag `[3]` of the extensions in a certificate (RFC 5280 §4.1). */
const extensions = 0xa3

/**
 * @param certificate DER
 * @throws RangeError for an invalid certificate
 */
export function extensionsOf(certificate: Buffer): Extension[] {
  const toBeSigned = readElements(readOnlyElement(certificate).content)[0]
  const list = readElements(toBeSigned?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === extensions)
  return list ? readElements(readOnlyElement(list.content).content).map(readExtension) : []
}

function readExtension({ content }: { content: Buffer }): Extension {
  const [type, ...parts] = readElements(content)
  const value = parts.at(-1)
  if (type?.tag !== tags.objectIdentifier || value?.tag !== tags.octetString)
    throw new RangeError('the DER is not an extension')
  const isCritical = parts.some(({ tag, content: flag }) => tag === tags.boolean && flag[0] !== 0)
  return { id: type.content.toString('hex'), isCritical, content: value.content }
}

/**
 * @param certificate DER
 * @returns the extension's content; null if the certificate does not have the extension
 * @throws RangeError for an invalid certificate
 */
export const extensionOf = (certificate: Buffer, id: string): Buffer | null =>
  extensionsOf(certificate).find((extension) => extension.id === id)?.content ?? null

/**
 * Whether the key may be used in one of the given ways. Without the extension keyUsage it may (RFC 5280 §4.2.1.3).
 * @param certificate DER
 * @param usages bits of keyUsages
 * @throws RangeError for an invalid certificate
 */
export function hasKeyUsage(certificate: Buffer, usages: number): boolean {
  const usage = extensionOf(certificate, extensionIds.keyUsage)
  return usage === null || ((readOnlyElement(usage).content[1] ?? 0) & usages) !== 0
}
