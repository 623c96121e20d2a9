/** Reads certificate extensions (RFC 5280 §4.2) that Node does not expose. */
import { readElements, readOnlyElement, tags } from './der.ts'

/** The tag `[3]` of the extensions in a certificate (RFC 5280 §4.1). */
const extensions = 0xa3

/**
 * @param certificate DER
 * @param id the content of the extension's object identifier, hexadecimal DER
 * @returns the extension's content; null if the certificate does not have the extension
 * @throws RangeError for an invalid certificate
 */
export function extensionOf(certificate: Buffer, id: string): Buffer | null {
  const toBeSigned = readElements(readOnlyElement(certificate).content)[0]
  const list = readElements(toBeSigned?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === extensions)
  for (const extension of list ? readElements(readOnlyElement(list.content).content) : []) {
    const parts = readElements(extension.content)
    const [type] = parts
    if (type?.tag === tags.objectIdentifier && type.content.toString('hex') === id)
      return parts.at(-1)?.content ?? null
  }
  return null
}
