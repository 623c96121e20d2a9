/**
 * Whether the sender is told of what became of a recipient (RFC 3461 §5.2). Who writes `<>` is never told anything
 * (RFC 5321 §4.5.5), or two mail systems would notify one another for ever.
 */
import type { DsnKind } from '../contract/jobs.ts'
import type { Message, Recipient } from '../contract/message.ts'

type Condition = 'SUCCESS' | 'FAILURE' | 'DELAY'

const conditionOf: Record<DsnKind, Condition> = {
  failed: 'FAILURE',
  delayed: 'DELAY',
  relayed: 'SUCCESS',
  delivered: 'SUCCESS',
}

/** Without NOTIFY a failure must be reported, a delay may be, a success must not (RFC 3461 §4.1, §5.2.2). */
const unasked: ReadonlySet<Condition> = new Set(['FAILURE', 'DELAY'])

export function isToldOf(
  kind: DsnKind,
  { envelope }: Pick<Message, 'envelope'>,
  { notify }: Pick<Recipient, 'notify'>,
): boolean {
  const condition = conditionOf[kind]
  if (envelope.mailFrom === '') return false
  return notify === null ? unasked.has(condition) : notify.includes(condition)
}

/**
 * What there is to say of a recipient whose message was taken. A next hop that knows DSN was told whom to notify and
 * of what, and does so itself. One that does not takes the message on without a word, so that `relayed` is the last
 * that anybody can say; what is kept here is `delivered` (RFC 3461 §5.2.1–5.2.3).
 * @param isKeptHere whether this is where the recipient's mail ends
 */
export function noticeOfSuccess(
  { lastAttempt }: Pick<Recipient, 'lastAttempt'>,
  isKeptHere: boolean,
): Extract<DsnKind, 'relayed' | 'delivered'> | null {
  if (lastAttempt?.outcome !== 'Delivered') return null
  // What nobody took (a mail to the address for reports that holds none) was not delivered to anybody.
  if (lastAttempt.host === null) return null
  if (isKeptHere) return 'delivered'
  return lastAttempt.dsnPassedOn === true ? null : 'relayed'
}
