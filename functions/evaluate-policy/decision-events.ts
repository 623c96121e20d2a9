/** Builds the events of an evaluated job. Pure. */
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { MailEvent } from '../../shared/contract/events.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import { isCanary, type Message, type Recipient } from '../../shared/contract/message.ts'
import {
  type ArrivalConnector,
  acceptedEvent,
  attemptEvents,
  type DecidedJob,
  decisionEvent,
  endOf,
} from '../../shared/events/mail-events.ts'
import { type ExecutedVerdict, jobPosition, type Progress } from '../../shared/messages/trace.ts'
import { toPresentedCertificate, trustFaultOf } from '../../shared/policy/client-certificate.ts'
import { inboundByRecipient, matchedConnector } from '../../shared/policy/evaluate.ts'
import { requiredClientLevel } from '../../shared/policy/required-client-level.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import { trustAnchorsDigest } from '../../shared/tls/trust-anchors-digest.ts'
import { isFirstJob } from './first-job.ts'

/**
 * Returns the events of the executed verdicts, of the message if the job is its first, and of the attempts that the job
 * reports. A repetition has the last two also when a later job was decided. No event is of a canary.
 */
export function eventsOf(
  job: EvaluationJob,
  executed: readonly ExecutedVerdict[],
  progress: ReadonlyMap<string, Pick<Progress, 'decided'>>,
  snapshot: Snapshot,
): MailEvent[] {
  const { message, recipients, notBefore, attempted, recipientsInAll } = job
  const mailRecipients = recipients.filter((recipient) => !isCanary(message, recipient))
  // A timer repeats the last attempt, whose report had the event.
  const reported = notBefore === null ? mailRecipients : []
  return [
    ...(isFirstJob(job) && mailRecipients.length > 0
      ? [
          acceptedEvent(
            message,
            recipientsInAll ?? mailRecipients.length,
            arrivalConnector(snapshot, message, mailRecipients[0]),
          ),
        ]
      : []),
    ...reported.flatMap(({ address, lastAttempt }) =>
      lastAttempt === null ? [] : attemptEvents(message, address, lastAttempt, attempted),
    ),
    ...executed
      .filter(({ verdict }) => !isCanary(message, verdict.recipient))
      .flatMap(({ verdict: { recipient, decidedBy }, stored }) => {
        const jobs = decidedJobs(job, recipient, progress.get(recipient.address)?.decided ?? '')
        // A recipient bounces once, by whichever job.
        const stated = stored.action === 'Bounce' ? jobs.slice(0, 1) : jobs
        return stated.map((decided) => decisionEvent(message, recipient, stored, decidedBy, decided))
      }),
  ]
}

/**
 * Returns the inbound connector that the event of a decision would name too. The connectors for one recipient stand for
 * the message: they differ only by their scope.
 */
function arrivalConnector(
  snapshot: Snapshot,
  message: Message,
  recipient: Recipient | undefined,
): ArrivalConnector | null {
  const connector = matchedConnector(inboundByRecipient(snapshot, message)(recipient?.address ?? ''))
  if (connector === null) return null
  const { id, mode } = connector
  return {
    id,
    mode,
    requiredLevel: requiredClientLevel(connector),
    trustAnchors: ownAnchors(connector, message),
  }
}

/** Returns the digest of the connector's authorities, if the chain of the client's certificate leads to them. */
function ownAnchors(connector: InboundConnector, { tls, receivedAt }: Message): string | undefined {
  const { certificateAuthorities: authorities } = connector
  const presented = toPresentedCertificate(tls.clientCertificate, new Date(receivedAt))
  if (presented === null || authorities.length === 0) return undefined
  return trustFaultOf(connector, presented) === null ? trustAnchorsDigest(authorities) : undefined
}

/**
 * Returns the job, and for some jobs also the first job of the recipient. Its worker may have died after it recorded the
 * decision. Then an administrator's job can overtake it, and no repetition has its event. So each job has that event too
 * until one is marked as decided. A repeated job was due at the same time, however late it is decided.
 */
function decidedJobs(
  { message: { receivedAt }, notBefore }: EvaluationJob,
  { attempts, lastAttempt }: Recipient,
  markedAsDecided: string,
): DecidedJob[] {
  const isFirst = attempts === 0 && notBefore === null
  const dueAt = notBefore ?? (lastAttempt === null ? receivedAt : endOf(lastAttempt))
  const own = { position: jobPosition(attempts, notBefore), dueAt }
  const mayLackFirst = attempts === 0 && !isFirst && markedAsDecided === ''
  return mayLackFirst ? [own, { position: jobPosition(0, null), dueAt: receivedAt }] : [own]
}
