/** What the API knows under the id of a message: its trace, a refusal, or only events. Pure. */
import type { MessageEvents, RejectedEvent, TraceEntry } from '../../api/types.ts'

export type FoundMessage =
  | { kind: 'Message'; entry: TraceEntry }
  | { kind: 'Refusal'; refusal: RejectedEvent }
  /** The trace has expired, or does not have the message yet. */
  | { kind: 'EventsOnly' }
  | { kind: 'Nothing' }

/**
 * @param answer of the trace; null if it has nothing of this id
 * @param trail the events; null if there are none, undefined while they are read
 * @returns null until it is known
 */
export function foundMessage(
  answer: TraceEntry | RejectedEvent | null,
  trail: MessageEvents | null | undefined,
): FoundMessage | null {
  if (answer !== null)
    return isRefusal(answer) ? { kind: 'Refusal', refusal: answer } : { kind: 'Message', entry: answer }
  if (trail === undefined) return null
  const refusal = trail?.events.find(isRefusal)
  if (refusal !== undefined) return { kind: 'Refusal', refusal }
  const isKnown = trail !== null && (trail.events.length > 0 || trail.unreadSince !== null)
  return { kind: isKnown ? 'EventsOnly' : 'Nothing' }
}

const isRefusal = (
  found: TraceEntry | RejectedEvent | MessageEvents['events'][number],
): found is RejectedEvent => 'kind' in found && found.kind === 'Rejected'
