/**
 * Compares the events with the messages table: an event that the table requires and that no raw object holds is missing.
 *
 * A message is looked at twice: at the seal of the second hour after its receipt, and 49 hours after it. By then it is
 * delivered or bounced, as a deferral ends within a day. The item in the table is written shortly before its event is
 * sent, so an event is required only if the item last changed before the sealed hour. It then had a whole hour to arrive.
 * Whatever is still in progress at the second look is counted as open and not looked at again. Not required are
 * decisions after the first one, DSNs, and attempts whose worker died. Messages of the hour of the
 * first seal, and of earlier hours, are not looked at: an earlier release without events may have processed them.
 */
import { eventId } from '../../shared/contract/events.ts'
import type { Shard } from '../../shared/events/event-keys.ts'
import { addHours, hoursBetween, startOf } from '../../shared/events/hours.ts'
import type { IdSet } from '../../shared/events/id-set.ts'
import type { MissingEvent, Reconciliation } from '../../shared/events/seal-marker.ts'
import { lookHours } from '../../shared/events/seal-plan.ts'
import type { RecipientKey, RecipientKeys, RecipientStatus } from './recipient-keys.ts'

/** Recorded hours in which the events of most messages are: those of the receipt and the two after it. */
const firstHours = 3

const maxSamples = 20

/** `jobPosition` of the first job of a message (shared/messages/trace.ts, whose import would bring its writers). */
export const firstPosition = '00000#'

export interface Dependencies {
  recipients: Pick<RecipientKeys, 'receivedIn' | 'status'>
  /** The ids of all events that were recorded in an hour. */
  idsOf(hour: string): Promise<IdSet>
  isSealed(hour: string): Promise<boolean>
  /** The ids under which an event may be stored. */
  storedIds(id: string): readonly string[]
}

/** @param hour the sealed hour */
export async function missingEvents(
  hour: string,
  shard: Shard,
  dependencies: Dependencies,
): Promise<Reconciliation> {
  const result: Reconciliation = { recipients: 0, open: 0, missing: {}, samples: [] }
  for (const age of lookHours) await look(addHours(hour, -age), hour, shard, dependencies, result)
  return result
}

async function look(
  received: string,
  sealed: string,
  shard: Shard,
  { recipients, idsOf, isSealed, storedIds }: Dependencies,
  result: Reconciliation,
): Promise<void> {
  if (!(await isSealed(addHours(received, -1)))) return
  const isIn = (id: string, sets: readonly IdSet[]) =>
    storedIds(id).some((stored) => sets.some((ids) => ids.has(stored)))
  const recorded = hoursBetween(received, addHours(received, firstHours - 1))
  /** Read only if there are messages. */
  let sets: readonly IdSet[] = []
  const incomplete: RecipientKey[] = []
  for await (const recipient of recipients.receivedIn(received, shard)) {
    if (sets.length === 0) sets = await Promise.all(recorded.map(idsOf))
    result.recipients += 1
    const isComplete = eventsOfFirstDelivery(recipient).every((id) => isIn(id, sets))
    if (!isComplete) incomplete.push(recipient)
  }
  const statuses = await recipients.status(incomplete)
  let required = incomplete.flatMap((recipient, index) => {
    const status = statuses[index]
    if (status == null) return []
    if (status.changedAt >= startOf(sealed) || !isFinal(status)) result.open += 1
    return requiredEvents(recipient, status, startOf(sealed)).map((event) => ({ ...event, ...recipient }))
  })
  // One event for all recipients of a message.
  required = [...new Map(required.map((event) => [event.id, event])).values()]
  for (const hour of hoursBetween(received, sealed)) {
    if (required.length === 0) return
    const ids = await idsOf(hour)
    required = required.filter(({ id }) => !isIn(id, [ids]))
  }
  for (const { kind, messageId, address } of required) {
    result.missing[kind] = (result.missing[kind] ?? 0) + 1
    if (result.samples.length < maxSamples) result.samples.push({ kind, messageId, recipient: address })
  }
}

/** The ids of the events of most recipients: the first attempt delivered. Their items need not be read. */
const eventsOfFirstDelivery = ({ messageId, address }: RecipientKey): string[] => [
  eventId('Accepted', messageId),
  eventId('Decided', messageId, address, firstPosition),
  eventId('Delivered', messageId, address, 1),
]

const isFinal = ({ state }: RecipientStatus): boolean => state === 'Delivered' || state === 'Bounced'

interface RequiredEvent {
  kind: MissingEvent['kind']
  id: string
}

/** @param before the time before which a change requires its event, ms since the epoch */
function requiredEvents(
  { messageId, address }: RecipientKey,
  { state, attempts, failedAttempts, changedAt }: RecipientStatus,
  before: number,
): RequiredEvent[] {
  if (changedAt >= before) return []
  const event = (kind: RequiredEvent['kind'], ...key: (string | number)[]) => ({
    kind,
    id: eventId(kind, messageId, ...key),
  })
  // A recipient that bounces at its first decision has no other event of that decision.
  const hasFirstDecision = state !== 'Bounced' || failedAttempts > 0
  return [
    event('Accepted'),
    ...(hasFirstDecision ? [event('Decided', address, firstPosition)] : []),
    ...Array.from({ length: failedAttempts }, (_, index) => event('Attempted', address, index + 1)),
    ...(state === 'Delivered' ? [event('Delivered', address, attempts)] : []),
    ...(state === 'Bounced' ? [event('Bounced', address)] : []),
  ]
}
