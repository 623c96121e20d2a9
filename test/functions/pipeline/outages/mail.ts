/** The mail of the load, and the servers that send and receive it. Pure. */
import type { EvaluationJob } from '../../../../shared/contract/jobs.ts'
import type { Recipient } from '../../../../shared/contract/message.ts'
import type { Outcome } from '../../../../shared/net/smtp-delivery.ts'
import { message, outbound, outcome, receivedAt, recipient, snapshot } from '../../../support/fixtures.ts'
import { storedContent } from '../deployment.ts'

type Reply = 'Accept' | 'RefuseOnce' | 'RefuseForever'

interface MailKind {
  /** Of 100 messages. */
  share: number
  domain: string
  notify?: Recipient['notify']
  reply?: Reply
}

const kinds: readonly MailKind[] = [
  { share: 50, domain: 'northwind.example' },
  { share: 5, domain: 'northwind.example', notify: ['SUCCESS', 'FAILURE'] },
  { share: 3, domain: 'northwind.example', reply: 'RefuseOnce' },
  { share: 2, domain: 'northwind.example', reply: 'RefuseForever' },
  { share: 25, domain: 'fabrikam.example' },
  { share: 15, domain: 'unproven.example' },
]

/** A hundred messages: the share of each kind. */
const kindOfRank = kinds.flatMap((kind) => Array<MailKind>(kind.share).fill(kind))

/** Spreads the kinds: consecutive messages are of different kinds. */
const kindOf = (mail: number): MailKind => kindOfRank[(mail * 37) % kindOfRank.length] as MailKind

/** Mail to northwind.example leaves by MX lookup, mail to fabrikam.example through Amazon SES. */
export const connectors = snapshot({
  outbound: [
    outbound({ tlsSettings: 'EncryptionOnly' }),
    outbound({ name: 'Fabrikam', recipientDomains: ['fabrikam.example'], route: 'Ses' }),
  ],
  acceptedDomains: ['northwind.example', 'fabrikam.example'],
})

/** Such mail is not authenticated; its recipients' domain is unproven. */
export const isFromOrganisation = (mail: number): boolean => !isProven(kindOf(mail).domain)

export const isProven = (domain: string): boolean => domain !== 'unproven.example'

/** Whether the recipient's server refuses the mail for good, so that the sender gets a failure DSN. */
export const isRefusedForever = (mail: number): boolean => kindOf(mail).reply === 'RefuseForever'

/**
 * @param submission number of the sender's try: each try that reaches the end of data is a message of its own
 * @param atMs since the start of the load
 */
export function evaluationJob(mail: number, submission: number, atMs: number): EvaluationJob {
  const { domain, notify = null } = kindOf(mail)
  const id = `01KF0CVZT0${String(submission).padStart(4, '0')}${String(mail).padStart(12, '0')}`
  const { content, octets } = storedContent(id)
  const receivedAt = timeOf(atMs).toISOString()
  // Only the organisation's own mail leaves without a connector.
  const own = isProven(domain) ? {} : { source: null }
  const { authentication: _, ...unauthenticated } = message({
    ...{ id, content, size: octets.length, receivedAt },
    ...own,
  })
  return {
    message: unauthenticated,
    recipients: [recipient({ address: `m${mail}@${domain}`, notify })],
    notBefore: null,
  }
}

export const timeOf = (atMs: number): Date => new Date(receivedAt.getTime() + atMs)

/** Returns the number of the mail; null for the sender's address, to which DSNs go. */
export function mailOf(address: string): number | null {
  const [, number] = /^m(\d+)@/.exec(address) ?? []
  return number === undefined ? null : Number(number)
}

const replies = {
  Delivered: { code: 250, enhanced: '2.0.0', text: 'Ok' },
  TemporaryFailure: { code: 451, enhanced: '4.3.0', text: 'Later' },
  PermanentFailure: { code: 550, enhanced: '5.1.1', text: 'No such user' },
} as const

/** The reply of a recipient's server. */
export function outcomeOf(address: string, attempt: number): Outcome {
  const mail = mailOf(address)
  const reply = mail === null ? 'Accept' : (kindOf(mail).reply ?? 'Accept')
  if (reply === 'RefuseForever') return outcomeWith('PermanentFailure')
  return outcomeWith(reply === 'RefuseOnce' && attempt === 1 ? 'TemporaryFailure' : 'Delivered')
}

const outcomeWith = (kind: keyof typeof replies): Outcome => outcome({ outcome: kind, reply: replies[kind] })

/** Whether the mail leaves by MX lookup, to a server that accepts it at once. */
export function isAcceptedByMx(mail: number): boolean {
  const { domain, reply = 'Accept' } = kindOf(mail)
  return domain === 'northwind.example' && reply === 'Accept'
}

const queueRunMs = 300_000
const minBackoffMs = 300_000
const maxBackoffMs = 4_000_000

/**
 * Milliseconds until a sender that got 4yz tries again, as Postfix does by default: as long as it has waited so far, at
 * least 300 and at most 4,000 seconds (`minimal_backoff_time`, `maximal_backoff_time`), and then the next run of its
 * queue (www.postfix.org/postconf.5.html). It gives up after five days, which no outage here lasts.
 * @param random in [0, 1)
 */
export const senderBackoffMs = (waitedMs: number, random: number): number =>
  Math.min(maxBackoffMs, Math.max(minBackoffMs, waitedMs)) + random * queueRunMs
