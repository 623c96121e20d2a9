import type { Resolver } from '../net/resolver.ts'
import { evaluateDmarc } from './evaluate-dmarc.ts'
import { dnsTimeoutMs, messageLookup } from './message-lookup.ts'
import type { MessageOctets } from './message-pieces.ts'
import { verifySignatures } from './verify-signatures.ts'

export interface AlignedSignatures {
  /** Domains of valid DKIM signatures that are aligned with the only domain of the only From: (RFC 9989 §4.4). */
  domains: string[]
  /** Whether a signature could not be determined because DNS failed, so that a later verification may find more. */
  isTemporary: boolean
}

/**
 * Verifies DKIM signatures only.
 * @param signal ends all DNS queries
 * @param onError called with an unexpected error, after which no domain is returned
 * @throws only what reading the content throws
 */
export async function verifyAlignedSignatures(
  content: MessageOctets,
  resolver: Resolver,
  { at, signal, onError = () => {} }: { at: Date; signal: AbortSignal; onError?: (error: Error) => void },
): Promise<AlignedSignatures> {
  const lookup = messageLookup(resolver, dnsTimeoutMs, signal)
  const none: AlignedSignatures = { domains: [], isTemporary: false }
  const verification = await verifySignatures(content, lookup, { at, isSealed: false })
  if (verification.kind === 'Unreadable') {
    if (verification.error) onError(verification.error)
    return none
  }
  const { signatures, author } = verification.verified
  const spf = { result: 'none', identity: 'mailfrom', domain: '' } as const
  try {
    const { outcome, aligned } = await evaluateDmarc(author, spf, signatures, lookup)
    const valid = signatures.filter(({ result }, index) => result === 'pass' && aligned[index])
    const isUndetermined =
      outcome.result === 'temperror' || signatures.some(({ result }) => result === 'temperror')
    return {
      domains: [...new Set(valid.map(({ domain }) => domain))],
      isTemporary: author.kind === 'One' && isUndetermined,
    }
  } catch (error) {
    onError(error as Error)
    return none
  }
}
