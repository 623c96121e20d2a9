/** Builds the events of an evaluated job. Pure. */
import type { MailEvent } from '../../shared/contract/events.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import { isCanary, type Recipient } from '../../shared/contract/message.ts'
import { acceptedEvent, attemptEvents, decisionEvent, endOf } from '../../shared/events/mail-events.ts'
import { type ExecutedVerdict, jobPosition } from '../../shared/messages/trace.ts'
import { isFirstJob } from './first-job.ts'

/**
 * Returns the events of the executed verdicts, of the message if the job is its first, and of the attempts that the job
 * reports. The last two depend on the job only: a repetition has them also when a later job was decided. No event
 * is of a canary.
 */
export function eventsOf(job: EvaluationJob, executed: readonly ExecutedVerdict[]): MailEvent[] {
  const { message, recipients, notBefore, attempted, recipientsInAll } = job
  const mailRecipients = recipients.filter((recipient) => !isCanary(message, recipient))
  // A timer repeats the last attempt, whose report had the event.
  const reported = notBefore === null ? mailRecipients : []
  return [
    ...(isFirstJob(job) && mailRecipients.length > 0
      ? [acceptedEvent(message, recipientsInAll ?? mailRecipients.length)]
      : []),
    ...reported.flatMap(({ address, lastAttempt }) =>
      lastAttempt === null ? [] : attemptEvents(message, address, lastAttempt, attempted),
    ),
    ...executed
      .filter(({ verdict }) => !isCanary(message, verdict.recipient))
      .map(({ verdict: { recipient, decidedBy }, stored }) =>
        decisionEvent(message, recipient, stored, decidedBy, {
          position: jobPosition(recipient.attempts, notBefore),
          dueAt: dueAt(job, recipient),
        }),
      ),
  ]
}

/** A repeated job was due at the same time, however late it is decided. */
const dueAt = ({ notBefore, message }: EvaluationJob, { lastAttempt }: Recipient): string =>
  notBefore ?? (lastAttempt === null ? message.receivedAt : endOf(lastAttempt))
