/** Acts on mail that waits: what each does, and to which mail. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { QueueList } from '../../api/types.ts'
import { isHeld } from './reason-text.ts'

export type Queue = QueueList['items'][number]
export type QueueAct = 'retry' | 'release' | 'return' | 'drop'

export interface QueueFilter {
  partner: string
  direction: Queue['direction']
  reason: string
  connector: string
}

export interface ActTexts {
  title: string
  /** What happens to the mail of so many recipients. */
  sentence(recipients: string): string
  isReasonRequired: boolean
}

export const actTexts: Readonly<Record<QueueAct, ActTexts>> = {
  retry: {
    title: 'Retry now',
    sentence: (recipients) =>
      `The mail of ${recipients} is decided now by the current connectors, and is sent only if their requirements are met, and those of its first decision.`,
    isReasonRequired: false,
  },
  release: {
    title: 'Release',
    sentence: (recipients) =>
      `The mail of ${recipients} is delivered despite the violation of the inbound connector. What outbound connectors require still applies.`,
    isReasonRequired: true,
  },
  return: {
    title: 'Return to sender',
    sentence: (recipients) =>
      `The mail of ${recipients} bounces now: its senders get a failure DSN, and it is never delivered.`,
    isReasonRequired: false,
  },
  drop: {
    title: 'Drop',
    sentence: (recipients) =>
      `The mail of ${recipients} bounces now without a DSN: it is never delivered, and neither sender nor recipient learns of it.`,
    isReasonRequired: true,
  },
}

/** A key of a group for tables. */
export const queueKey = ({ partner, direction, reason, connector }: Queue): string =>
  JSON.stringify([partner, direction, reason, connector])

/** Which of the groups an act applies to. */
export const groupsForAct = (act: QueueAct, groups: readonly Queue[]): readonly Queue[] =>
  act === 'release' ? groups.filter(({ reason }) => isHeld(reason)) : groups

/** Selects mail without a partner or without a connector, in the API and in the address. */
export const noneValue = 'none'

export const filterOf = ({ partner, direction, reason, connector }: Queue): QueueFilter => ({
  partner: partner ?? noneValue,
  direction,
  reason,
  connector: connector ?? noneValue,
})

/**
 * Counts the recipients of the groups as they are now.
 * @param listed all mail that waits now
 */
export function countRecipients(groups: readonly Queue[], listed: readonly Queue[]): number {
  const keys = new Set(groups.map(queueKey))
  return listed
    .filter((group) => keys.has(queueKey(group)))
    .reduce((sum, { recipients }) => sum + recipients, 0)
}

/** @param list of all mail; it may be incomplete */
export function recipientsText(count: number, { omitted, complete }: Omit<QueueList, 'items'>): string {
  const text = countText(count, 'recipient')
  return omitted > 0 || !complete ? `at least ${text}` : text
}

const requestWords: Readonly<Record<QueueAct, string>> = {
  retry: 'a retry',
  release: 'the release',
  return: 'the return',
  drop: 'the drop',
}

/** The requests are carried out within seconds, after the answer. */
export const resultText = (
  act: QueueAct,
  { recipients, messages }: { recipients: number; messages: number },
) =>
  recipients === 0
    ? `No mail was found to ${act}. It may have been sent meanwhile.`
    : `Requested ${requestWords[act]} of the mail of ${countText(recipients, 'recipient')} in ${countText(messages, 'message')}. Mail that must wait again is back in the list after its next attempt; a message's page shows each attempt.`
