/**
 * Assesses whether a sender can bypass the gateway, from the replies of a tenant of Exchange Online to a client that it
 * does not know. Pure.
 */
import type { Reply } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { type Finding, fail, ok, warn } from '../findings/finding.ts'

export type ProbeOutcome =
  /** RCPT TO was accepted, and no message was sent. */
  | { readonly kind: 'RecipientAccepted' }
  | { readonly kind: 'MessageAccepted' }
  | { readonly kind: 'Refused'; readonly at: string; readonly reply: Reply }
  /** `cause`: a clause, such as `the server did not reply in time`. */
  | { readonly kind: 'Failed'; readonly cause: string }

export interface SenderProbe {
  readonly sender: string
  /** Whether the sender is in a domain of the tenant. */
  readonly isOwn: boolean
  readonly outcome: ProbeOutcome
}

/** Why Exchange Online refused. Only the first two are settings that keep mail out. */
type Refusal = 'Connector' | 'DirectSend' | 'Recipient' | 'Domain' | 'Address' | 'Authentication' | 'Other'

/**
 * The codes: https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/non-delivery-reports-in-exchange-online.
 * 5.7.51 and 5.7.68 come in reply to RCPT TO, as clients report; other codes may come at the end of data.
 */
const refusals: readonly [pattern: RegExp, refusal: Refusal][] = [
  [/^5\.7\.51$/, 'Connector'],
  [/^5\.7\.68$/, 'DirectSend'],
  [/^5\.7\.64$/, 'Domain'],
  [/^5\.(4\.1|1\.\d+)$/, 'Recipient'],
  [/^5\.7\.(6\d\d|511)$|^4\./, 'Address'],
  [/^5\.7\.(509|515|23|26)$/, 'Authentication'],
]

const refusalOf = ({ code, enhanced, text }: Reply): Refusal => {
  if (code < 500 || /client host|blocked using|banned/i.test(text)) return 'Address'
  return refusals.find(([pattern]) => pattern.test(enhanced))?.[1] ?? 'Other'
}

export type BypassVerdict = 'Locked' | 'OpenToOwnSenders' | 'OpenToAll' | 'Undetermined'

export function bypassVerdict(probes: readonly SenderProbe[]): BypassVerdict {
  const isAccepted = ({ outcome }: SenderProbe) => outcome.kind === 'MessageAccepted'
  if (probes.some((probe) => !probe.isOwn && isAccepted(probe))) return 'OpenToAll'
  if (probes.some(isAccepted)) return 'OpenToOwnSenders'
  // Reject Direct Send keeps out own senders only.
  const isKeptOut = ({ isOwn, outcome }: SenderProbe) => {
    const refusal = outcome.kind === 'Refused' ? refusalOf(outcome.reply) : null
    return refusal === 'Connector' || (isOwn && refusal === 'DirectSend')
  }
  const hasBoth = probes.some(({ isOwn }) => isOwn) && probes.some(({ isOwn }) => !isOwn)
  return hasBoth && probes.every(isKeptOut) ? 'Locked' : 'Undetermined'
}

/** One finding for each sender, then the verdict. */
export function bypassFindings(probes: readonly SenderProbe[]): Finding[] {
  return [...probes.map(senderFinding), verdictFinding(bypassVerdict(probes))]
}

function senderFinding({ sender, isOwn, outcome }: SenderProbe): Finding {
  const subject = `${isOwn ? 'own' : 'other'} sender ${sender}`
  switch (outcome.kind) {
    case 'MessageAccepted':
      return fail(
        'sender',
        'the message was accepted',
        'look for it in the message trace: a rule may still hold or delete it',
        subject,
      )
    case 'RecipientAccepted':
      return warn(
        'sender',
        'RCPT TO was accepted, and no message was sent',
        'the message itself may still be refused; --send ADDRESS sends one',
        subject,
      )
    case 'Failed':
      return warn('sender', outcome.cause, 'repeat the check from a network with open port 25', subject)
    case 'Refused':
      return refusedFinding(outcome, subject)
  }
}

function refusedFinding({ at, reply }: Extract<ProbeOutcome, { kind: 'Refused' }>, subject: string): Finding {
  const seen = `refused at ${at}: ${formatReply(reply)}`
  const refusal = refusalOf(reply)
  const advice = refusalAdvice[refusal]
  return advice === null ? ok('sender', seen, subject) : warn('sender', seen, advice, subject)
}

const refusalAdvice: Readonly<Record<Refusal, string | null>> = {
  Connector: null,
  DirectSend: 'Reject Direct Send refuses only senders of your own domains; a Partner connector refuses all',
  Recipient: 'this says nothing about connectors: name an existing mailbox with --recipient or --send',
  Domain: 'the domain is not an accepted domain of this tenant: name one with --domain',
  Address:
    'Exchange Online refuses the address of this machine: repeat the check from an address with a good reputation',
  Authentication: 'refused for SPF, DKIM or DMARC of the sender, not by a connector: use another --sender',
  Other: 'this reply is not known to come from a connector',
}

const partnerConnector =
  'create a Partner inbound connector with RestrictDomainsToCertificate in the tenant: npx mailflow connectors template exchange-online'

function verdictFinding(verdict: BypassVerdict): Finding {
  switch (verdict) {
    case 'Locked':
      return ok('bypass', 'locked: the tenant refuses mail that does not come from the gateway')
    case 'OpenToOwnSenders':
      return fail('bypass', 'open to senders of your own domains (Direct Send)', partnerConnector)
    case 'OpenToAll':
      return fail('bypass', 'open: any sender can bypass the gateway', partnerConnector)
    case 'Undetermined':
      return warn(
        'bypass',
        'undetermined: the replies show neither a lock nor an open way',
        'the lines above name what is missing',
      )
  }
}
