/** How long what a source said is believed, and when it is asked again. All times in milliseconds since the epoch. */
import type { RevocationSource } from '../../tls/revocation/status.ts'
import type { KeptSource } from '../../transport/revocation-table.ts'

const minute = 60_000

/** An answer holds for days, but a certificate that is revoked meanwhile is to be noticed. */
const renewal = 60 * minute
/** Until a source that said nothing is asked again: whoever cannot be reached must not cost every message its patience. */
const pause = 5 * minute

export const isDecided = ({ status }: RevocationSource): boolean => status !== 'Unknown'

/**
 * What is kept once a source was asked. One that now says nothing leaves in force what it said before, for as long as
 * that holds.
 */
export function afterAsking(heard: RevocationSource, before: KeptSource | null, now: number): KeptSource {
  if (isDecided(heard)) {
    const renewAt = Math.min(now + renewal, endOf(heard, now))
    return { source: heard, renewAt, validUntil: Math.max(renewAt, endOf(heard, now)) }
  }
  if (before !== null && isDecided(before.source) && now < before.validUntil)
    return { ...before, renewAt: Math.min(now + pause, before.validUntil) }
  return { source: heard, renewAt: now + pause, validUntil: now + pause }
}

/** What holds without end is asked again soon. */
const endOf = ({ nextUpdate }: RevocationSource, now: number): number =>
  nextUpdate === null ? now + pause : Math.max(Date.parse(nextUpdate), now + minute)
