/** Formats the trace of one message: how it was received, and each recipient's decision, attempts and DSNs. */

import { countText } from '../../shared/policy/text-lists.ts'
import { formatTime, printable } from '../text/format.ts'
import { indentParagraph } from '../text/table.ts'
import { authenticationText, tenantText } from './authentication-text.ts'
import { consideredConnectorsText } from './considered-connectors.ts'
import {
  certificateText,
  inboundSessionText,
  outboundSessionText,
  presentedCertificateText,
  requirementText,
  senderText,
  tlsRequirementText,
} from './session-text.ts'
import type { Attempt, Recipient, TraceEntry, Verdict } from './trace-entry.ts'

export function messageText(entry: TraceEntry): string {
  const { id, receivedAt, envelope, source, tls, size, direction, recipients } = entry
  const { headerMessageId, exchangeOnline, authentication } = entry
  const session = tls.negotiated ? `${tls.protocol}, ${tls.cipher}` : inboundSessionText(entry)
  const origin = source === null ? session : `from ${source.ip} (${printable(source.helo)}), ${session}`
  return [
    `Message ${id}`,
    `  Received   ${formatTime(receivedAt)}, ${origin}`,
    ...(tls.clientCertificate === null ? [] : withLabel('Presented', certificateText(tls.clientCertificate))),
    `  Sender     ${senderText(envelope.mailFrom)} (${direction === 'Originating' ? 'of the organisation' : 'from outside'})`,
    ...(headerMessageId === null ? [] : [`  Message-ID ${printable(headerMessageId)}`]),
    `  Size       ${countText(size, 'octet')}`,
    ...(exchangeOnline === null ? [] : [`  Tenant     ${tenantText(exchangeOnline)}`]),
    ...(authentication === null ? [] : withLabel('Checked', authenticationText(authentication))),
    ...recipients.flatMap((recipient) => ['', ...recipientLines(recipient)]),
  ].join('\n')
}

function withLabel(label: string, [first, ...rest]: readonly string[]): string[] {
  return [`  ${label.padEnd(10)} ${first}`, ...rest.map((text) => `             ${text}`)]
}

function recipientLines({
  address,
  state,
  verdict,
  until,
  givenUpAt,
  firstHeld,
  requirement,
  released,
  returned,
  dropped,
  attempts,
  attemptsOmitted,
  notifications,
}: Recipient) {
  const nextDecision = until === null ? '' : `, next decision at ${formatTime(until)}`
  const bounceTime = givenUpAt === null ? '' : `, bounces at ${formatTime(givenUpAt)}`
  // If the recipient is still held, the verdict below has the same reason, and the hold is not printed twice.
  const earlierHold = firstHeld !== null && firstHeld.reason !== verdict?.reason ? firstHeld : null
  return [
    `${printable(address)}: ${state}${nextDecision}${bounceTime}`,
    ...(earlierHold === null
      ? []
      : [
          `  First held (${earlierHold.reason}) at ${formatTime(earlierHold.at)}`,
          indentParagraph(printable(earlierHold.explanation), 13),
        ]),
    ...(verdict === null ? ['  Not decided yet.'] : verdictLines(verdict)),
    ...(requirement === null ? [] : requirementLines(requirement, verdict?.lowered ?? [])),
    ...requestLines('Released', released),
    ...requestLines('Returned', returned),
    ...requestLines('Dropped', dropped),
    ...(attemptsOmitted > 0 ? [`  (${countText(attemptsOmitted, 'earlier attempt')} not shown)`] : []),
    ...attempts.flatMap(attemptLines),
    ...notifications.map(
      ({ kind, message, state: dsnState }) =>
        `  ${dsnKindText.get(kind) ?? kind} DSN to the sender: ${message ?? 'not created yet'}${dsnState === null ? '' : `, ${dsnState}`}`,
    ),
  ]
}

function requirementLines(
  { connector, since, ...requirement }: NonNullable<Recipient['requirement']>,
  lowered: readonly string[],
): string[] {
  const loweredText = lowered.includes('connector')
    ? '; no connector applies now'
    : lowered.length === 0
      ? ''
      : `; the current connector lowers ${lowered.map(printable).join(', ')}`
  const text = `keeps the requirement of connector "${printable(connector.name)}" from ${formatTime(since)}: ${printable(tlsRequirementText(requirement))}${loweredText}`
  return [`  Requires   ${text}`]
}

function requestLines(label: string, request: Recipient['released']): string[] {
  if (request === null) return []
  const { at, by, reason } = request
  const who = by === null ? 'an administrator' : printable(by)
  return [
    `  ${label.padEnd(10)} by ${who} at ${formatTime(at)}`,
    ...(reason === null ? [] : [indentParagraph(printable(reason), 13)]),
  ]
}

const dsnKindText = new Map([
  ['failed', 'Failure'],
  ['delayed', 'Delay'],
  ['relayed', 'Relay'],
  ['delivered', 'Delivery'],
])

function verdictLines({
  action,
  reason,
  explanation,
  reply,
  reportOnly,
  at,
  connectorsVersion,
  considered,
}: Verdict) {
  const when = at === null ? '' : ` at ${formatTime(at)}`
  const version = connectorsVersion === null ? '' : `, connectors version ${connectorsVersion}`
  return [
    `  Decision   ${action} (${reason})${when}${version}`,
    indentParagraph(printable(explanation), 13),
    ...(reply === null ? [] : [`  Reply      ${printable(reply)}`]),
    ...(reportOnly === null ? [] : [`  ReportOnly requirement not met: ${printable(reportOnly)}`]),
    ...(considered.length === 0
      ? []
      : ['  Considered connectors, in order of precedence:', ...consideredConnectorsText(considered, 4)]),
  ]
}

function attemptLines(attempt: Attempt): string[] {
  const { number, at, outcome, host, ip, reply, reportOnly, durationMs, leaseUntil } = attempt
  if (outcome === 'InProgress')
    return [
      `  Attempt ${number}  in progress${leaseUntil === null ? '' : `, at the latest until ${formatTime(leaseUntil)}`}`,
    ]
  const session =
    host === null
      ? 'no server was reached'
      : `${host}${ip === null ? '' : ` (${ip})`}, ${outboundSessionText(attempt)}`
  return [
    `  Attempt ${number}  ${outcome}${at === null ? '' : ` at ${formatTime(at)}`}, ${session}`,
    `             ${requirementText(attempt)}${durationMs === null ? '' : `; duration ${durationMs} ms`}`,
    ...presentedCertificateText(attempt).map((line) => indentParagraph(line, 13)),
    ...(reply === null ? [] : [indentParagraph(printable(reply), 13)]),
    ...(reportOnly === null
      ? []
      : [indentParagraph(`report only, requirement not met: ${printable(reportOnly)}`, 13)]),
  ]
}
