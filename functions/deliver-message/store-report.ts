/**
 * Handles mail to the address for TLS reports. A report is stored, and its message is not relayed. Other mail is
 * ignored (RFC 8460 §5.3), because its sender is usually forged. Of its senders, only an authenticated one gets a
 * failure DSN.
 */
import { daySeconds } from '../../shared/contract/durations.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import type { Message } from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import {
  fieldsWithoutSession,
  type OutboundMessage,
  type Outcome,
  type Outcomes,
} from '../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import { excessReason, readReportMail } from '../../shared/tls-reports/read-mail.ts'
import { type ReceivedReport, toReceivedReport } from '../../shared/tls-reports/received-report.ts'
import type { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { verifySigner } from '../../shared/tls-reports/verify-signer.ts'

export interface StoreReportDependencies {
  reports: Pick<ReceivedReports, 'put'>
  resolver: Resolver
  now(): Date
  retentionDays: number
  signal: AbortSignal
}

export type StoreReportResult =
  | { kind: 'Kept'; report: ReceivedReport }
  /** `isSenderNotified`: the sender gets a failure DSN. */
  | { kind: 'Ignored'; why: string; isSenderNotified: boolean }
  /** The job is retried. */
  | { kind: 'Failed'; why: string }

/** Never throws. */
export async function storeReport(
  message: Pick<Message, 'receivedAt' | 'envelope'>,
  content: Buffer,
  { reports, resolver, now, retentionDays, signal }: StoreReportDependencies,
): Promise<StoreReportResult> {
  const limitFault = excessReason(content)
  if (limitFault !== null) return { kind: 'Ignored', why: limitFault, isSenderNotified: false }
  try {
    const signer = await verifySigner(content, resolver, signal)
    if (signer.kind === 'Unknown') return { kind: 'Failed', why: signer.reason }
    const reading = await readReportMail(content)
    const report =
      reading.kind === 'Report'
        ? toReceivedReport(reading.content, new Date(message.receivedAt), signer)
        : reading.reason
    if (typeof report === 'string')
      return {
        kind: 'Ignored',
        why: report,
        isSenderNotified: isAuthenticatedSender(message, signer.signedBy),
      }
    await reports.put(report, expiryAfter(now(), retentionDays * daySeconds))
    return { kind: 'Kept', report }
  } catch (error) {
    return { kind: 'Failed', why: errorMessage(error) }
  }
}

/** A DSN goes to the reverse path, so the signature must be for the domain of the reverse path or a parent domain. */
function isAuthenticatedSender(
  { envelope: { mailFrom } }: Pick<Message, 'envelope'>,
  signedBy: string | null,
): boolean {
  const domain = domainOf(mailFrom)
  if (signedBy === null || domain === null) return false
  return domain === signedBy || domain.endsWith(`.${signedBy}`)
}

/**
 * Returns the outcome for each recipient. If a message is ignored and its sender is not notified, the outcome names no
 * host: without a host, no success DSN is sent.
 */
export function outcomesOfReport(
  result: StoreReportResult,
  { recipients }: Pick<OutboundMessage, 'recipients'>,
): Outcomes {
  const host = result.kind === 'Ignored' && !result.isSenderNotified ? null : 'TLS reports'
  const outcome: Outcome = { ...outcomeWithoutHop, host, ...attemptResult(result) }
  return new Map(recipients.map(({ address }) => [address, outcome]))
}

const outcomeWithoutHop = { ...fieldsWithoutSession(opportunistic), policySource: null }

function attemptResult(result: StoreReportResult): Pick<Outcome, 'outcome' | 'reply'> {
  switch (result.kind) {
    case 'Kept':
      return { outcome: 'Delivered', reply: reply(250, '2.0.0', `Stored as report ${result.report.id}`) }
    case 'Ignored':
      return result.isSenderNotified
        ? { outcome: 'PermanentFailure', reply: reply(554, '5.6.0', `Not a TLS report: ${result.why}`) }
        : { outcome: 'Delivered', reply: reply(250, '2.0.0', `Ignored: not a TLS report: ${result.why}`) }
    case 'Failed':
      return { outcome: 'TemporaryFailure', reply: reply(451, '4.3.0', 'The report cannot be stored now') }
  }
}
