/** The human-readable part: what happened, who can fix it and how, and the source of the TLS requirement. */
import type { BounceJob, DsnKind } from '../../contract/jobs.ts'
import type { Attempt, PolicySource, Reply } from '../../contract/message.ts'
import { domainOf } from '../address.ts'
import { replaceInvisible, toSingleLine } from '../peer-text.ts'
import { formatReply } from '../reply.ts'
import { type Advice, adviceFor, isTlsCode } from './advice.ts'
import { mailDate } from './field-text.ts'

type ReportedRecipient = BounceJob['recipients'][number]

export const subjects: Record<DsnKind, string> = {
  failed: 'Undelivered mail returned to sender',
  delayed: 'Delayed mail (still being retried)',
  relayed: 'Mail relayed',
  delivered: 'Mail delivered',
}

const openings: Record<DsnKind, string> = {
  failed: 'Your message could not be delivered to the recipients below. This system will not try again.',
  delayed:
    'Your message has not been delivered yet to the recipients below. You need not do anything: this system is still trying.',
  relayed:
    'Your message was relayed to the mail servers of the recipients below. Those servers do not confirm delivery, so you will get no further notice unless delivery fails there.',
  delivered: 'Your message was delivered to the recipients below.',
}

/** @param omitted the number of recipients that the DSN concerns but does not name */
export function dsnText(job: BounceJob, hostname: string, omitted = 0): string {
  const { message, kind, recipients } = job
  return [
    `This is the mail system at ${hostname}.`,
    '',
    openings[kind],
    `The message was received on ${mailDate(message.receivedAt)}. Its id in this system is ${message.id}.`,
    ...recipients.flatMap((reported) => ['', ...recipientLines(reported, kind)]),
    ...(omitted === 0 ? [] : ['', `It also concerns ${omitted} more recipients, which are not listed here.`]),
    '',
  ].join('\r\n')
}

function recipientLines(reported: ReportedRecipient, kind: DsnKind): string[] {
  const { recipient, reply, explanation, willRetryUntil } = reported
  const lines = [
    ...(kind === 'failed' || kind === 'delayed' ? adviceLines(reported, kind) : []),
    ...(kind === 'delayed' && willRetryUntil !== null
      ? [`This system will try until ${mailDate(willRetryUntil)}.`]
      : []),
    'Details:',
    explanation,
    formatReply(reply),
  ]
  return [
    `<${replaceInvisible(recipient.address)}>`,
    ...lines.map((line) => `  ${toSingleLine(line, Number.POSITIVE_INFINITY)}`),
  ]
}

function adviceLines(reported: ReportedRecipient, kind: 'failed' | 'delayed'): string[] {
  return [
    ...adviceOf(reported).flatMap(({ happened, remedy }, index, all) =>
      index < all.length - 1 ? [happened] : [happened, remedy],
    ),
    ...requirementLines(reported),
    ...(kind === 'failed' ? ['When the problem is solved, you can send the message again.'] : []),
  ]
}

/** Returns why delivery failed; for an expired message, also why the last attempt failed. */
function adviceOf({ recipient: { lastAttempt }, reply }: ReportedRecipient): Advice[] {
  const source = lastAttempt?.policySource ?? null
  const advice = adviceFor(reply.enhanced, source, isNextHopReply(reply, lastAttempt))
  if (lastAttempt === null || reply.enhanced !== expiredStatus) return [advice]
  return [
    advice,
    adviceFor(lastAttempt.reply.enhanced, source, isNextHopReply(lastAttempt.reply, lastAttempt)),
  ]
}

const expiredStatus = '4.4.7'

/** Whether the reply may come from a next hop. A TLS failure is a result of this system. */
const isNextHopReply = ({ code, text }: Reply, attempt: Attempt | null): boolean =>
  attempt !== null &&
  attempt.host !== null &&
  attempt.outcome !== 'TlsNotMet' &&
  attempt.reply.code === code &&
  attempt.reply.text === text

/** Returns the source of the TLS requirement that was not met, or else the connector that decided. */
function requirementLines({ recipient, reply, connector }: ReportedRecipient): string[] {
  const { address, lastAttempt } = recipient
  const domain = domainOf(address) ?? "the recipient's domain"
  if (
    reply.enhanced.endsWith('.7.30') ||
    (isTlsCode(reply.enhanced) && hasPolicySource('RequireTls', lastAttempt))
  )
    return ['You or your mail program required encryption (REQUIRETLS).']
  if (lastAttempt?.outcome === 'TlsNotMet') {
    if (hasPolicySource('Dane', lastAttempt))
      return [`By its DNS records (DANE), the domain ${domain} requires verified encryption.`]
    if (hasPolicySource('MtaSts', lastAttempt))
      return [`By its published policy (MTA-STS), the domain ${domain} requires verified encryption.`]
  }
  return connector === null
    ? []
    : [`The rule that decided is connector "${connector}"; your mail administrator can say more.`]
}

const hasPolicySource = (source: PolicySource, attempt: Attempt | null): boolean =>
  attempt?.policySource === source
