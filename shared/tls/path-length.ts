/** How many authorities may stand between an authority and a server's certificate (RFC 5280 §4.2.1.9). */
import { elements, only, tags } from './der.ts'
import { extensionOf } from './extension.ts'

const basicConstraints = '551d13'

/**
 * @param certificate DER
 * @returns infinite without a constraint; 0, the narrowest, for one that cannot be read
 */
export function pathLength(certificate: Buffer): number {
  try {
    const constraints = extensionOf(certificate, basicConstraints)
    const limit = constraints && elements(only(constraints).content).find(({ tag }) => tag === tags.integer)
    return limit ? Number(`0x${limit.content.toString('hex')}`) : Number.POSITIVE_INFINITY
  } catch {
    return 0
  }
}
