/** The part for people: what happened, who can mend it and how, who demanded what was not met. */
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
  relayed: 'Mail handed on',
  delivered: 'Mail delivered',
}

const openings: Record<DsnKind, string> = {
  failed: 'Your message could not be delivered to the recipients below. It will not be tried again.',
  delayed:
    'Your message has not been delivered yet to the recipients below. You need not do anything: it is still being tried.',
  relayed:
    'Your message was handed to the mail servers of the recipients below. They do not say that they will tell you when it arrives, so this is the last you hear of it, unless it fails there.',
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

/** What is the matter; and where that is only that the time is over, what stood in the way until then. */
function causes({ recipient: { lastAttempt }, reply }: Reported): Advice[] {
  const source = lastAttempt?.policySource ?? null
  const advice = adviceFor(reply.enhanced, source, isNextHops(reply, lastAttempt))
  if (lastAttempt === null || reply.enhanced !== expired) return [advice]
  return [advice, adviceFor(lastAttempt.reply.enhanced, source, isNextHops(lastAttempt.reply, lastAttempt))]
}

const expired = '4.4.7'

/** Whether a next hop may have said it; TLS is judged here. */
const isNextHops = ({ code, text }: Reply, attempt: Attempt | null): boolean =>
  attempt !== null &&
  attempt.host !== null &&
  attempt.outcome !== 'TlsNotMet' &&
  attempt.reply.code === code &&
  attempt.reply.text === text

/** By whom TLS was demanded, where that is what was not met; else the connector that decided, if one did. */
function whoDemands({ recipient, reply, connector }: Reported): string[] {
  const { address, lastAttempt } = recipient
  const domain = domainOf(address) ?? "the recipient's domain"
  if (reply.enhanced.endsWith('.7.30') || (isAboutTls(reply.enhanced) && isFrom('RequireTls', lastAttempt)))
    return ['You, or your mail program, demanded this (REQUIRETLS).']
  if (lastAttempt?.outcome === 'TlsNotMet') {
    if (isFrom('Dane', lastAttempt))
      return [`It is ${domain} that demands this, by what it publishes (DANE).`]
    if (isFrom('MtaSts', lastAttempt))
      return [`It is ${domain} that demands this, by the policy it publishes (MTA-STS).`]
  }
  return connector === null
    ? []
    : [`The rule that decided is connector "${connector}"; your mail administrator can say more.`]
}

const isFrom = (source: PolicySource, attempt: Attempt | null): boolean => attempt?.policySource === source
