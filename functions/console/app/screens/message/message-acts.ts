/** What an administrator can do with the waiting recipients of a message, and its outcome in words. Pure. */
import { isViolationReason } from '../../../../../shared/policy/reasons.ts'
import { proseList } from '../../../../../shared/policy/text-lists.ts'
import type { Recipient } from './session-text.ts'

export type Act = 'retry' | 'release' | 'return'

export interface ActTexts {
  button: string
  title: string
  /** What happens to the mail. */
  effects: readonly string[]
  needsReason: boolean
}

export const actTexts: Readonly<Record<Act, ActTexts>> = {
  retry: {
    button: 'Retry now',
    title: 'Retry now',
    effects: [
      'mailflow evaluates the current connectors again and makes an attempt at once.',
      'The message is sent only if their requirements are met, and no less than those of its first decision. Otherwise it waits again.',
      'The time at which it bounces does not change.',
    ],
    needsReason: false,
  },
  release: {
    button: 'Release',
    title: 'Release despite the violation',
    effects: [
      'The message is delivered although it violates an inbound connector. This cannot be undone.',
      'What the outbound connector requires still applies: if the next hop does not meet it, the message waits.',
      'Your reason is in the trace and in the event, and in no mail.',
    ],
    needsReason: true,
  },
  return: {
    button: 'Return now',
    title: 'Return to the sender now',
    effects: [
      'The delivery to these recipients ends. The sender gets a DSN that says so. This cannot be undone.',
      'An attempt under way ends first, and may still deliver the message.',
    ],
    needsReason: false,
  },
}

/** The recipients that an act applies to. */
export const recipientsOf = (act: Act, recipients: readonly Recipient[]): string[] =>
  recipients
    .filter(
      ({ state, verdict }) =>
        state === 'Deferred' && (act !== 'release' || isViolationReason(verdict?.reason ?? '')),
    )
    .map(({ address }) => address)

/** The answer to the person after the request. */
export const requestedText = (act: Act, recipients: readonly string[]): string =>
  `Requested a ${act} for ${proseList(recipients)}. This page shows the result as soon as there is one.`

/** The state of a recipient in a sentence. */
export const stateSentences: Readonly<Record<string, string>> = {
  Pending: 'mailflow is deciding or delivering.',
  Deferred: 'The message waits for a later attempt.',
  Delivered: 'The next hop accepted the message.',
  Bounced: 'The delivery has ended without success.',
  Rejected: 'The gateway refused it in the session, so the sender still has it.',
}

export const stateTypes = {
  Pending: 'in-progress',
  Deferred: 'pending',
  Delivered: 'success',
  Bounced: 'error',
  Rejected: 'stopped',
} as const satisfies Record<string, string>
