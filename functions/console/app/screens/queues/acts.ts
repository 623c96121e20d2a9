/** Acts on mail that waits: what each does, and to which mail. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { QueueList } from '../../api/types.ts'
import { isHeld } from './reason-text.ts'

export type Queue = QueueList['items'][number]
export type QueueAct = 'retry' | 'release' | 'return' | 'drop'

export interface QueueFilter {
  partner?: string
  direction?: Queue['direction']
  reason?: string
  connector?: string
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

/** The API has no filter for an absent partner or connector, so the filter of such a group may match others too. */
export const filterOf = ({ partner, direction, reason, connector }: Queue): QueueFilter => ({
  ...(partner !== null && { partner }),
  direction,
  reason,
  ...(connector !== null && { connector }),
})

const fields = ['partner', 'direction', 'reason', 'connector'] as const

const matches = (filter: QueueFilter, group: QueueFilter | Queue): boolean =>
  fields.every((field) => filter[field] === undefined || filter[field] === group[field])

/** @returns the filters of the groups, without those that another one includes */
export function filtersOf(groups: readonly Queue[]): QueueFilter[] {
  const filters = groups.map(filterOf)
  return filters.filter(
    (filter, index) =>
      !filters.some(
        (other, otherIndex) =>
          otherIndex !== index && matches(other, filter) && !(matches(filter, other) && otherIndex > index),
      ),
  )
}

export interface ActPreview {
  recipients: number
  /** Groups that are not selected, but match a filter. */
  others: readonly Queue[]
}

/** @param listed all mail that waits now */
export function previewAct(selected: readonly Queue[], listed: readonly Queue[]): ActPreview {
  const filters = filtersOf(selected)
  const keys = new Set(selected.map(queueKey))
  const matched = listed.filter((group) => filters.some((filter) => matches(filter, group)))
  return {
    recipients: matched.reduce((sum, { recipients }) => sum + recipients, 0),
    others: matched.filter((group) => !keys.has(queueKey(group))),
  }
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
    : `Requested ${requestWords[act]} of the mail of ${countText(recipients, 'recipient')} in ${countText(messages, 'message')}. It leaves the list in a few seconds, unless it must wait again.`
