import { hash } from 'node:crypto'

/**
 * Identifies a connector's authorities in events: the first 16 octets of a SHA-256, base64url. The same certificates in
 * another order have another digest.
 * @param authorities PEM
 */
export const trustAnchorsDigest = (authorities: readonly string[]): string =>
  hash('sha256', authorities.join('\n'), 'buffer').subarray(0, 16).toString('base64url')
