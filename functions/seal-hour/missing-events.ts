/**
 * Compares the events with the messages table: an event that the table requires and that no raw object holds is missing.
 *
 * A message is looked at twice: at the seal of the second hour after its receipt, and 49 hours after it. By then it is
 * delivered or bounced, as a deferral ends within a day. The item in the table is written shortly before its event is
 * sent, so an event is required only if the item last changed before the sealed hour. It then had a whole hour to arrive.
 * Whatever is still in progress at the second look is counted as open and not looked at again. Messages of the hour of the
 * first seal, and of earlier hours, are not looked at: an earlier release without events may have processed them.
 */
import { eventId } from '../../shared/contract/events.ts'
import type { Shard } from '../../shared/events/event-keys.ts'
import { addHours, hoursBetween, startOf } from '../../shared/events/hours.ts'
import type { MissingEvent, Reconciliation } from '../../shared/events/seal-marker.ts'
import type { IdSet } from './id-set.ts'
import type { RecipientKey, RecipientKeys, RecipientStatus } from './recipient-keys.ts'

/** Hours from the receipt of a message to the hours at whose seals it is looked at. */
export const lookHours = [2, 49] as const

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
}

type RequiredKind = MissingEvent['kind']

/** What is known of a recipient's events. */
interface Found {
  accepted: boolean
  decided: boolean
  final: boolean
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
  { recipients, idsOf, isSealed }: Dependencies,
  result: Reconciliation,
): Promise<void> {
  if (!(await isSealed(addHours(received, -1)))) return
  const recorded = hoursBetween(received, addHours(received, firstHours - 1))
  /** Read only if there are messages. */
  let sets: readonly IdSet[] = []
  const incomplete: (RecipientKey & { found: Found })[] = []
  for await (const recipient of recipients.receivedIn(received, shard)) {
    if (sets.length === 0) sets = await Promise.all(recorded.map(idsOf))
    const has = (id: string) => sets.some((ids) => ids.has(id))
    result.recipients += 1
    const found = findEvents(recipient, 1, has)
    if (!isComplete(found)) incomplete.push({ ...recipient, found })
  }
  const statuses = await recipients.status(incomplete)
  let required = incomplete.flatMap(({ found, ...recipient }, index) => {
    const status = statuses[index]
    if (status == null) return []
    const kinds = requiredKinds(found, status, startOf(sealed))
    if (kinds.length === 0) result.open += 1
    return kinds.map((kind) => ({ kind, ...recipient, id: idOf(kind, recipient, status.attempts) }))
  })
  // One event for all recipients of a message.
  required = [...new Map(required.map((event) => [event.id, event])).values()]
  for (const hour of hoursBetween(received, sealed)) {
    if (required.length === 0) return
    const ids = await idsOf(hour)
    required = required.filter(({ id }) => !ids.has(id))
  }
  for (const { kind, messageId, address } of required) {
    result.missing[kind] = (result.missing[kind] ?? 0) + 1
    if (result.samples.length < maxSamples) result.samples.push({ kind, messageId, recipient: address })
  }
}

function findEvents(recipient: RecipientKey, attempt: number, has: (id: string) => boolean): Found {
  const accepted = has(idOf('Accepted', recipient, 0))
  const delivered = has(idOf('Delivered', recipient, attempt))
  const decided = has(idOf('Decided', recipient, 0))
  if (delivered && decided) return { accepted, decided, final: true }
  const bounced = has(idOf('Bounced', recipient, 0))
  return { accepted, decided: decided || bounced, final: delivered || bounced }
}

const isComplete = ({ accepted, decided, final }: Found): boolean => accepted && decided && final

/** @param before the time before which a change requires its event, ms since the epoch */
export function requiredKinds(
  found: Found,
  { state, changedAt }: RecipientStatus,
  before: number,
): RequiredKind[] {
  if (changedAt >= before) return []
  return [
    ...(found.accepted ? [] : (['Accepted'] as const)),
    // A recipient that bounces at its first decision has no other event of that decision.
    ...(found.decided || state === 'Bounced' ? [] : (['Decided'] as const)),
    ...(!found.final && (state === 'Delivered' || state === 'Bounced') ? [state] : []),
  ]
}

/** @param attempt number of the attempt that delivered */
function idOf(kind: RequiredKind, { messageId, address }: RecipientKey, attempt: number): string {
  switch (kind) {
    case 'Accepted':
      return eventId(kind, messageId)
    case 'Decided':
      return eventId(kind, messageId, address, firstPosition)
    case 'Delivered':
      return eventId(kind, messageId, address, attempt)
    case 'Bounced':
      return eventId(kind, messageId, address)
  }
}
