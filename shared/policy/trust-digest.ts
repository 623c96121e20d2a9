/**
 * Tells whether a certificate with a listed name is still trusted as when it was tested, without its chain. Another
 * digest means: test again.
 */
import { createHash } from 'node:crypto'
import type { InboundConnector } from '../connectors/schema.ts'

export function trustDigest({
  certificateAuthorities,
  requireClientAuthEku,
  revocationCheck,
}: Pick<InboundConnector, 'certificateAuthorities' | 'requireClientAuthEku' | 'revocationCheck'>): string {
  const settings = JSON.stringify([certificateAuthorities, requireClientAuthEku, revocationCheck])
  return createHash('sha256').update(settings).digest('base64url')
}
