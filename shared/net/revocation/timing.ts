/** How long what a source said is believed, and when it is asked again. All times in milliseconds since the epoch. */
import { minuteMs } from '../../contract/durations.ts'
import type { RevocationSource } from '../../tls/revocation/status.ts'
import { isFinal } from '../../tls/revocation/told.ts'
import type { KeptSource } from './revocation-store.ts'

/** An answer holds for days, but a certificate that is revoked meanwhile is to be noticed. */
const renewal = 60 * minuteMs
/** Until a source that said nothing is asked again: whoever cannot be reached must not cost every message its patience. */
const pause = 5 * minuteMs

export const isDecided = ({ status }: RevocationSource): boolean => status !== 'Unknown'

/**
 * What is kept once a source was asked. One that now says nothing, or repeats what it said before a revocation, leaves
 * in force what was heard, for as long as that holds.
 */
export function afterAsking(heard: RevocationSource, before: KeptSource | null, now: number): KeptSource {
  const isTakenBack = heard.status === 'Good' && before !== null && isFinal(before.source)
  if (isDecided(heard) && !(isTakenBack && now < before.validUntil)) {
    const renewAt = Math.min(now + renewal, endOf(heard, now))
    return { source: heard, renewAt, validUntil: Math.max(renewAt, endOf(heard, now)) }
  }
  if (before !== null && isDecided(before.source) && now < before.validUntil)
    return { ...before, renewAt: Math.min(now + pause, before.validUntil) }
  return { source: heard, renewAt: now + pause, validUntil: now + pause }
}

/** Of what two workers were told: what decides and holds, before the silence that one of them met. */
export function better(one: KeptSource | null, other: KeptSource | null, now: number): KeptSource | null {
  if (one === null || other === null) return one ?? other
  const [decidesOne, decidesOther] = [one, other].map(
    (kept) => isDecided(kept.source) && now < kept.validUntil,
  )
  if (decidesOne !== decidesOther) return decidesOne ? one : other
  return other.renewAt > one.renewAt ? other : one
}

/** What holds without end is asked again soon. */
const endOf = ({ nextUpdate }: RevocationSource, now: number): number =>
  nextUpdate === null ? now + pause : Math.max(Date.parse(nextUpdate), now + minuteMs)
