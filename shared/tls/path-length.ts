/**
 * Reads the path length constraint: the number of authorities allowed between an authority and an end certificate (RFC
 * 5280 §4.2.1.9).
 */
import { readElements, readOnlyElement, tags } from './der.ts'
import { extensionOf } from './extension.ts'

const basicConstraints = '551d13'

/**
 * @param certificate DER
 * @returns infinite without a constraint; 0, the strictest, for an unreadable one
 */
export function pathLength(certificate: Buffer): number {
  try {
    const constraints = extensionOf(certificate, basicConstraints)
    const limit =
      constraints &&
      readElements(readOnlyElement(constraints).content).find(({ tag }) => tag === tags.integer)
    return limit ? Number(`0x${limit.content.toString('hex')}`) : Number.POSITIVE_INFINITY
  } catch {
    return 0
  }
}
