/** Builds the events of an evaluated job. Pure. */
import type { MailEvent } from '../../shared/contract/events.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import { isCanary } from '../../shared/contract/message.ts'
import { acceptedEvent, attemptEvents, decisionEvent } from '../../shared/events/mail-events.ts'
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
    ...(isFirstJob(job) && message.canary === undefined
      ? [acceptedEvent(message, recipientsInAll ?? recipients.length)]
      : []),
    ...reported.flatMap(({ address, lastAttempt }) =>
      lastAttempt === null ? [] : attemptEvents(message, address, lastAttempt, attempted),
    ),
    ...executed
      .filter(({ verdict }) => !isCanary(message, verdict.recipient))
      .map(({ verdict: { recipient, decidedBy }, stored }) =>
        decisionEvent(message, recipient, stored, decidedBy, jobPosition(recipient.attempts, notBefore)),
      ),
  ]
}
