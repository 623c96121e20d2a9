/** Converts verdicts to jobs. Pure. */
import {
  type BounceJob,
  type DeliveryJob,
  type EvaluationJob,
  type Route,
  splitForJobs,
  type TlsRequirement,
} from '../../shared/contract/jobs.ts'
import type { Message, Recipient } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { Bounce, Defer, Deliver, Verdict } from '../../shared/policy/evaluate.ts'
import { hasMandatoryPolicy } from '../../shared/policy/mandatory-policies.ts'
import { shouldNotifySender, successDsnKind } from '../../shared/policy/notification.ts'
import { maxDelayMs } from '../../shared/policy/schedule.ts'

export interface Dispatch {
  delivery: DeliveryJob[]
  evaluation: DelayedJob[]
  bounce: BounceJob[]
}

/** A job and its SQS delay, 0–900 seconds. */
export interface DelayedJob {
  job: EvaluationJob
  delaySeconds: number
}

/** @param connectorsVersion version of the connectors behind the verdicts */
export function dispatch(
  message: Message,
  verdicts: readonly Verdict[],
  now: Date,
  connectorsVersion: number,
): Dispatch {
  const deliveries = verdicts.filter((verdict) => verdict.action === 'Deliver')
  const deferrals = verdicts.filter((verdict) => verdict.action === 'Defer')
  const bounces = verdicts.filter((verdict) => verdict.action === 'Bounce')
  return {
    delivery: deliveryJobs(message, deliveries, connectorsVersion),
    evaluation: deferredJobs(message, deferrals, now),
    bounce: [
      ...bounceJobs(
        message,
        'failed',
        bounces.filter(
          ({ recipient, isSilent }) => !isSilent && shouldNotifySender('failed', message, recipient),
        ),
        now,
      ),
      ...bounceJobs(
        message,
        'delayed',
        deferrals.filter(({ notifyDelay }) => notifyDelay),
        now,
      ),
    ],
  }
}

/**
 * Builds the jobs for the success DSNs that the sender requested about delivered recipients.
 * @param isStoredByMailflow whether mail to an address is stored by mailflow instead of relayed
 */
export function successDsnJobs(
  message: Message,
  recipients: readonly Recipient[],
  isStoredByMailflow: (address: string) => boolean,
  now: Date,
): BounceJob[] {
  const notified = recipients.flatMap((recipient) => {
    const kind = successDsnKind(recipient, isStoredByMailflow(recipient.address))
    return kind !== null && shouldNotifySender(kind, message, recipient) ? [{ kind, recipient }] : []
  })
  return groupByKey(notified, ({ kind }) => kind).flatMap((group) => {
    const { kind } = group[0]
    const reported = group.map(({ recipient }) => ({
      recipient,
      reply: recipient.lastAttempt?.reply ?? defaultReply,
      explanation: kind === 'delivered' ? 'It is stored on this system.' : relayedExplanation(recipient),
      connector: null,
      willRetryUntil: null,
    }))
    return splitForJobs(reported).map((part) => ({ message, kind, at: now.toISOString(), recipients: part }))
  })
}

const defaultReply = reply(250, '2.0.0', 'Ok')

const relayedExplanation = ({ lastAttempt }: Recipient): string =>
  `${lastAttempt?.host ?? 'The next mail server'} accepted it and does not confirm delivery.`

/** Delays a job until its `notBefore` time, in steps that SQS allows. Returns null for a job that is due. */
export function delayIfEarly(job: EvaluationJob, now: Date): DelayedJob | null {
  if (job.notBefore === null) return null
  const remaining = Date.parse(job.notBefore) - now.getTime()
  return remaining > 0 ? { job, delaySeconds: delaySeconds(remaining) } : null
}

function deliveryJobs(
  message: Message,
  deliveries: readonly Deliver[],
  connectorsVersion: number,
): DeliveryJob[] {
  const groupKey = ({ destination, route, tls, attempt, connectors }: Deliver) =>
    JSON.stringify([destination, route, tls, attempt, connectors.outbound])
  return groupByKey(deliveries, groupKey).flatMap((group) => {
    const { destination, route, tls, attempt } = group[0]
    const connector = connectorOf(group[0])
    const parts = splitForJobs(group.map(({ recipient }) => recipient))
    return parts.map((recipients) => ({
      message,
      recipients,
      destination,
      route,
      tls,
      attempt,
      ...(connector && { connector }),
      ...requiredFeatures(route, tls),
      connectorsVersion,
    }))
  })
}

/** Without the feature `mandatory-policies`, an earlier version would count the job as unreadable. */
function requiredFeatures(route: Route, tls: TlsRequirement): Pick<DeliveryJob, 'requires'> {
  if (route.kind === 'Canary') return { requires: ['canary'] }
  return hasMandatoryPolicy(tls) ? { requires: ['mandatory-policies'] } : {}
}

/** The recipients of one delivery job share the connector. */
const connectorOf = ({ connectors, decidedBy }: Deliver): DeliveryJob['connector'] =>
  connectors.outbound === null || decidedBy === null
    ? undefined
    : { id: connectors.outbound, name: decidedBy }

function deferredJobs(message: Message, deferrals: readonly Defer[], now: Date): DelayedJob[] {
  return groupByKey(deferrals, ({ until }) => until.toISOString()).flatMap((group) => {
    const { until } = group[0]
    const delay = delaySeconds(until.getTime() - now.getTime())
    return splitForJobs(group.map(recipientAfterDeferral)).map((recipients) => ({
      job: { message, recipients, notBefore: until.toISOString() },
      delaySeconds: delay,
    }))
  })
}

const recipientAfterDeferral = ({ recipient, notifyDelay }: Defer): Recipient => ({
  ...recipient,
  delayNotified: recipient.delayNotified || notifyDelay,
})

function bounceJobs(
  message: Message,
  kind: BounceJob['kind'],
  verdicts: readonly (Bounce | Defer)[],
  now: Date,
): BounceJob[] {
  const reported = verdicts.map((verdict) => ({
    recipient: verdict.recipient,
    reply: verdict.reply,
    explanation: explanationForSender(verdict),
    connector: verdict.decidedBy,
    willRetryUntil: verdict.action === 'Defer' ? verdict.expiresAt.toISOString() : null,
  }))
  // One DSN reports all these recipients, so it returns the content only if the verdict of each recipient allows that.
  const returnsContent = verdicts.every((verdict) => verdict.action === 'Bounce' && verdict.mayReturnContent)
  return splitForJobs(reported).map((recipients) => ({
    message,
    kind,
    at: now.toISOString(),
    recipients,
    returnsContent,
  }))
}

/**
 * Returns the explanation for the DSN. The attack: a message with a forged sender and a certificate whose text the
 * attacker chose, so that the DSN carries that text to a third party. The defence: only the trace contains text of the
 * certificate.
 */
function explanationForSender({ reason, explanation }: Bounce | Defer): string {
  return reason === 'InboundCertificateRestriction'
    ? "The server that sent it did not present a certificate that is known for the sender's domain."
    : explanation
}

/** Groups items by key, in order of first appearance. */
function groupByKey<T>(items: readonly T[], key: (item: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group) group.push(item)
    else groups.set(key(item), [item])
  }
  return [...groups.values()]
}

function delaySeconds(milliseconds: number): number {
  return Math.ceil(Math.min(Math.max(milliseconds, 0), maxDelayMs) / 1000)
}
