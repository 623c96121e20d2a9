/** How long a source's result counts, and when it is requested again. All times in milliseconds since the epoch. */
import { minuteMs } from '../../contract/durations.ts'
import type { RevocationSource } from '../../tls/revocation/status.ts'
import { isFinal } from '../../tls/revocation/told.ts'
import type { KeptSource } from './revocation-store.ts'

/** A response is valid for days, but a later revocation should be noticed. */
const renewal = 60 * minuteMs
/** A source without a result is asked again only then, so that not every message waits for its timeout. */
const pause = 5 * minuteMs

export const isDecided = ({ status }: RevocationSource): boolean => status !== 'Unknown'

/**
 * The result to cache after a request. While it is valid, the previous result stays when the source gives none now, or
 * one from before the revocation.
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

/** The better result of two workers: a decisive, valid one before a missing one. */
export function better(one: KeptSource | null, other: KeptSource | null, now: number): KeptSource | null {
  if (one === null || other === null) return one ?? other
  const [decidesOne, decidesOther] = [one, other].map(
    (kept) => isDecided(kept.source) && now < kept.validUntil,
  )
  if (decidesOne !== decidesOther) return decidesOne ? one : other
  return other.renewAt > one.renewAt ? other : one
}

/** A result without an end is requested again soon. */
const endOf = ({ nextUpdate }: RevocationSource, now: number): number =>
  nextUpdate === null ? now + pause : Math.max(Date.parse(nextUpdate), now + minuteMs)
