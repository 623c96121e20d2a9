/** The part for people: what happened, who can fix it and how, and what required TLS. */
import type { BounceJob, DsnKind } from '../../contract/jobs.ts'
import type { Attempt, PolicySource, Reply } from '../../contract/message.ts'
import { domainOf } from '../address.ts'
import { visible } from '../peer-words.ts'
import { formatReply } from '../reply.ts'
import { type Advice, adviceFor, isAboutTls } from './advice.ts'
import { mailDate, oneLine } from './text.ts'

type Reported = BounceJob['recipients'][number]

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

export function wordsFor(job: BounceJob, hostname: string): string {
  const { message, kind, recipients } = job
  return [
    `This is the mail system at ${hostname}.`,
    '',
    openings[kind],
    `It was received on ${mailDate(message.receivedAt)} and is known here as ${message.id}.`,
    ...recipients.flatMap((reported) => ['', ...aboutRecipient(reported, kind)]),
    '',
  ].join('\r\n')
}

function aboutRecipient(reported: Reported, kind: DsnKind): string[] {
  const { recipient, reply, explanation, willRetryUntil } = reported
  const lines = [
    ...(kind === 'failed' || kind === 'delayed' ? whatToDo(reported, kind) : []),
    ...(kind === 'delayed' && willRetryUntil !== null
      ? [`It will be tried until ${mailDate(willRetryUntil)}.`]
      : []),
    'Details:',
    explanation,
    formatReply(reply),
  ]
  return [`<${visible(recipient.address)}>`, ...lines.map((line) => `  ${oneLine(line)}`)]
}

function whatToDo(reported: Reported, kind: 'failed' | 'delayed'): string[] {
  return [
    ...causes(reported).flatMap(({ happened, remedy }, index, all) =>
      index < all.length - 1 ? [happened] : [happened, remedy],
    ),
    ...whoDemands(reported),
    ...(kind === 'failed' ? ['Then you can send the message again.'] : []),
  ]
}

/** Returns why delivery failed; for an expired message, also why the last attempt failed. */
function causes({ recipient: { lastAttempt }, reply }: Reported): Advice[] {
  const source = lastAttempt?.policySource ?? null
  const advice = adviceFor(reply.enhanced, source, isNextHops(reply, lastAttempt))
  if (lastAttempt === null || reply.enhanced !== expired) return [advice]
  return [advice, adviceFor(lastAttempt.reply.enhanced, source, isNextHops(lastAttempt.reply, lastAttempt))]
}

const expired = '4.4.7'

/** Whether the reply may come from a next hop. TLS failures are found by this system. */
const isNextHops = ({ code, text }: Reply, attempt: Attempt | null): boolean =>
  attempt !== null &&
  attempt.host !== null &&
  attempt.outcome !== 'TlsNotMet' &&
  attempt.reply.code === code &&
  attempt.reply.text === text

/** Returns what required the TLS that was not met, or else the connector that decided. */
function whoDemands({ recipient, reply, connector }: Reported): string[] {
  const { address, lastAttempt } = recipient
  const domain = domainOf(address) ?? "the recipient's domain"
  if (reply.enhanced.endsWith('.7.30') || (isAboutTls(reply.enhanced) && isFrom('RequireTls', lastAttempt)))
    return ['You or your mail program required this (REQUIRETLS).']
  if (lastAttempt?.outcome === 'TlsNotMet') {
    if (isFrom('Dane', lastAttempt)) return [`The domain ${domain} requires this by its DNS records (DANE).`]
    if (isFrom('MtaSts', lastAttempt))
      return [`The domain ${domain} requires this by its published policy (MTA-STS).`]
  }
  return connector === null
    ? []
    : [`The rule that decided is connector "${connector}"; your mail administrator can say more.`]
}

const isFrom = (source: PolicySource, attempt: Attempt | null): boolean => attempt?.policySource === source
