/**
 * What events say of past mail that decisions depend on. Mail with the same facts has the same decisions, so a query
 * groups by these columns. Pure.
 */
import type { MailEvent } from '../../contract/events.ts'
import { comparableMailbox, domainOf } from '../../mail/address.ts'
import type { Settings } from '../../policy/evaluate.ts'

/** Columns of `Accepted` and `Rejected`. `sender` and `recipient` have their own rule, see `comparableSender`. */
export const arrivalColumns = [
  'clientIp',
  'tlsVersion',
  'clientCertificateSha256',
  'clientCertificateNames',
  'clientCertificateCommonName',
  'clientCertificateVerdict',
  'clientCertificateValidity',
  'clientAuth',
  'revocation',
  'requireTls',
  'dmarc',
  'fromDomain',
  'tenantIds',
  'originatorOrganizations',
  'alignedSignatures',
  'trustAnchors',
] as const satisfies readonly (keyof MailEvent)[]

/** Columns of `Delivered` and `Attempted`. */
export const attemptColumns = [
  'kind',
  'decision',
  'host',
  'route',
  'nextHops',
  'outboundConnector',
  'mode',
  'requiredLevel',
  'requiredTlsVersion',
  'policySource',
  'connectorLevel',
  'smtpDaneMode',
  'mtaStsMode',
  'tlsVersion',
  'tlsResult',
  'tlsRequiredNo',
  'serverCertificateNames',
  'serverCertificateCommonName',
  'serverCertificateVerdict',
  'trustAnchors',
  'revocation',
  'clientCertificateSecret',
] as const satisfies readonly (keyof MailEvent)[]

/** Columns of `Rejected`, besides `arrivalColumns`. */
export const rejectionColumns = [
  'stage',
  'reason',
  'inboundConnector',
] as const satisfies readonly (keyof MailEvent)[]

export type ArrivalColumns = Partial<Pick<MailEvent, (typeof arrivalColumns)[number]>>
export type AttemptColumns = Partial<Pick<MailEvent, (typeof attemptColumns)[number]>>
export type RejectionColumns = Partial<Pick<MailEvent, (typeof rejectionColumns)[number]>>

/** The facts about a recipient of a message. Of a group of such mail, `at` is the time of one message. */
export interface MailFacts {
  /** ISO 8601. */
  at: string
  /** The reverse path; absent where rejections are counted together. */
  sender?: string
  /** Of accepted mail as `resolvePostmaster` returned it; absent if the event of a rejection has none. */
  recipient?: string
  hasOtherRecipients: boolean
  /** Without `clientIp`: mailflow created the message. */
  arrival: ArrivalColumns
  /** Null for mail that was accepted. */
  rejection: RejectionColumns | null
  /** The last attempt whose outcome is known; null if there was none. */
  attempt: AttemptColumns | null
  /**
   * The chain of the client certificate, leaf first, base64 DER, if the caller knows it, for example from the trace. Events
   * do not hold it.
   */
  clientChain?: readonly string[]
}

/** @param accepted the `Accepted` event @param attempt the last `Delivered` or `Attempted` event of the recipient */
export const factsOfAccepted = (
  accepted: Partial<MailEvent> & Pick<MailEvent, 'at'>,
  recipient: string,
  attempt: AttemptColumns | null,
): MailFacts => ({
  at: accepted.at,
  ...(accepted.sender !== undefined && { sender: accepted.sender }),
  recipient,
  hasOtherRecipients: (accepted.recipients ?? 1) > 1,
  arrival: pick(accepted, arrivalColumns),
  rejection: null,
  attempt: attempt && pick(attempt, attemptColumns),
})

/** @param rejected a `Rejected` event of the stage Mail, Rcpt or Data */
export const factsOfRejected = (rejected: Partial<MailEvent> & Pick<MailEvent, 'at'>): MailFacts => ({
  at: rejected.at,
  ...(rejected.sender !== undefined && { sender: rejected.sender }),
  ...(rejected.recipient !== undefined && { recipient: rejected.recipient }),
  hasOtherRecipients: (rejected.recipients ?? 1) > 1,
  arrival: pick(rejected, arrivalColumns),
  rejection: pick(rejected, rejectionColumns),
  attempt: null,
})

function pick<Name extends keyof MailEvent>(
  event: Partial<MailEvent>,
  columns: readonly Name[],
): Partial<Pick<MailEvent, Name>> {
  const picked: Partial<Pick<MailEvent, Name>> = {}
  for (const name of columns) if (event[name] !== undefined) picked[name] = event[name]
  return picked
}

/** The facts about one recipient, with the ids that lead to the mail. */
export interface PastMail {
  /** Of a rejection: the id of its event. */
  id: string
  facts: MailFacts
}

/** The stages at which a session has a sender. */
const mailStages: ReadonlySet<string | undefined> = new Set(['Mail', 'Rcpt', 'Data'])

/**
 * Finds the mail in its events, in the order of the events. A recipient without an `Accepted` event is left out.
 * @param events in any order, and with copies
 */
export function pastMailOf(events: Iterable<MailEvent>): PastMail[] {
  const accepted = new Map<string, MailEvent>()
  const recipients = new Map<string, { messageId: string; recipient: string; attempt: MailEvent | null }>()
  const rejected = new Map<string, PastMail>()
  for (const event of events) {
    const { id, kind, messageId, recipient } = event
    if (kind === 'Rejected' && mailStages.has(event.stage))
      rejected.set(id, { id, facts: factsOfRejected(event) })
    if (messageId === undefined) continue
    if (kind === 'Accepted') accepted.set(messageId, event)
    if (recipient === undefined || !ofRecipients.has(kind)) continue
    const key = `${messageId} ${recipient}`
    const known = recipients.get(key)?.attempt ?? null
    const attempt = isKnownAttempt(event) && (event.attempt ?? 0) >= (known?.attempt ?? 0) ? event : known
    recipients.set(key, { messageId, recipient, attempt })
  }
  const ofAccepted = [...recipients.values()].flatMap(({ messageId, recipient, attempt }) => {
    const arrival = accepted.get(messageId)
    return arrival ? [{ id: messageId, facts: factsOfAccepted(arrival, recipient, attempt) }] : []
  })
  return [...ofAccepted, ...rejected.values()]
}

const ofRecipients: ReadonlySet<MailEvent['kind']> = new Set(['Decided', 'Attempted', 'Delivered', 'Bounced'])

/** The worker of an attempt with the decision `Unknown` died. */
const isKnownAttempt = ({ kind, decision }: MailEvent): boolean =>
  kind === 'Delivered' || (kind === 'Attempted' && decision !== 'Unknown')

/**
 * Replaces the local part, which no connector reads, so that mail of one domain is one group. A sender without a domain
 * stays as it is.
 */
export function comparableSender(sender: string): string {
  const domain = domainOf(sender)
  return domain === null ? sender : `any@${domain}`
}

/** As `comparableSender`; the postmaster and the address for TLS reports stay as they are. */
export function comparableRecipient(recipient: string, settings: Settings): string {
  const domain = domainOf(recipient)
  if (domain === null || isSpecial(recipient, settings)) return recipient
  return `any@${domain}`
}

function isSpecial(recipient: string, { tlsReportAddress, postmaster }: Settings): boolean {
  const mailbox = comparableMailbox(recipient)
  const special = [tlsReportAddress, postmaster?.mailbox].flatMap((each) =>
    each ? comparableMailbox(each) : [],
  )
  return /^"?postmaster"?(?:@|$)/i.test(recipient) || special.includes(mailbox)
}
