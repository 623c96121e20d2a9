/**
 * Decides whether the sender gets a DSN about a recipient (RFC 3461 §5.2). A message from `<>` never causes one (RFC
 * 5321 §4.5.5); otherwise two mail systems could notify each other without end.
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
const notifiedByDefault: ReadonlySet<Condition> = new Set(['FAILURE', 'DELAY'])

export function shouldNotifySender(
  kind: DsnKind,
  { envelope }: Pick<Message, 'envelope'>,
  { notify }: Pick<Recipient, 'notify'>,
): boolean {
  const condition = conditionOf[kind]
  if (envelope.mailFrom === '') return false
  return notify === null ? notifiedByDefault.has(condition) : notify.includes(condition)
}

/**
 * The kind of success DSN for a delivered recipient, or null when none is sent. A next hop with the DSN extension got
 * NOTIFY and sends the DSN itself. A next hop without the extension confirms nothing, so the DSN says `relayed`. A
 * report that mailflow stores is `delivered` (RFC 3461 §5.2.1–5.2.3).
 * @param isFinalDestination whether mailflow is the final destination
 */
export function successDsnKind(
  { lastAttempt }: Pick<Recipient, 'lastAttempt'>,
  isFinalDestination: boolean,
): Extract<DsnKind, 'relayed' | 'delivered'> | null {
  if (lastAttempt?.outcome !== 'Delivered') return null
  // Delivered without a host: mail to the TLS report address that contained no report. mailflow discarded it, so no
  // success is confirmed.
  if (lastAttempt.host === null) return null
  if (isFinalDestination) return 'delivered'
  return lastAttempt.dsnPassedOn === true ? null : 'relayed'
}
