/**
 * Reads the path length constraint: the number of authorities allowed between an authority and an end certificate (RFC
 * 5280 §4.2.1.9).
 */
import { readElements, readOnlyElement, tags } from './der.ts'
import { extensionIds, extensionOf } from './extension.ts'

/**
 * @param certificate DER
 * @returns infinity when there is no constraint; 0, the strictest length, when the constraint cannot be read
 */
export function pathLengthOf(certificate: Buffer): number {
  try {
    const constraints = extensionOf(certificate, extensionIds.basicConstraints)
    const limit =
      constraints &&
      readElements(readOnlyElement(constraints).content).find(({ tag }) => tag === tags.integer)
    return limit ? Number(`0x${limit.content.toString('hex')}`) : Number.POSITIVE_INFINITY
  } catch {
    return 0
  }
}
