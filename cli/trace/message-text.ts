/** Formats the trace of one message: how it was received, and each recipient's decision, attempts and DSNs. */

import { countText } from '../../shared/policy/words.ts'
import { indented } from '../text/table.ts'
import { printable, timeOf } from '../text/words.ts'
import { consideredText } from './considered-connectors.ts'
import { cameIn, certificateText, demandOf, leftBy, senderText, shownBy } from './session-words.ts'
import type { Attempt, Entry, Recipient, Verdict } from './trace-entry.ts'

export function messageText(entry: Entry): string {
  const { id, receivedAt, envelope, source, tls, size, direction, recipients } = entry
  const from = source === null ? 'created by this gateway' : `from ${source.ip} (${printable(source.helo)})`
  const session = tls.negotiated ? `${tls.protocol}, ${tls.cipher}` : cameIn(entry)
  return [
    `Message ${id}`,
    `  Received   ${timeOf(receivedAt)}, ${from}, ${session}`,
    ...(tls.clientCertificate === null ? [] : certificateLines(tls.clientCertificate)),
    `  Sender     ${senderText(envelope.mailFrom)} (${direction === 'Originating' ? 'own organisation' : 'from outside'})`,
    `  Size       ${countText(size, 'octet')}`,
    ...recipients.flatMap((recipient) => ['', ...recipientLines(recipient)]),
  ].join('\n')
}

function certificateLines(certificate: NonNullable<Entry['tls']['clientCertificate']>): string[] {
  const [first, ...rest] = certificateText(certificate)
  return [`  Presented  ${first}`, ...rest.map((text) => `             ${text}`)]
}

function recipientLines({
  address,
  state,
  verdict,
  until,
  givenUpAt,
  firstHeld,
  attempts,
  attemptsOmitted,
  notifications,
}: Recipient) {
  const waits = until === null ? '' : `, next decision at ${timeOf(until)}`
  const ends = givenUpAt === null ? '' : `, bounces at ${timeOf(givenUpAt)}`
  // While the recipient is still held, the decision already gives the same reason.
  const wasHeld = firstHeld !== null && firstHeld.reason !== verdict?.reason ? firstHeld : null
  return [
    `${printable(address)}: ${state}${waits}${ends}`,
    ...(wasHeld === null
      ? []
      : [
          `  First held (${wasHeld.reason}) at ${timeOf(wasHeld.at)}`,
          indented(printable(wasHeld.explanation), 13),
        ]),
    ...(verdict === null ? ['  Not decided yet.'] : verdictLines(verdict)),
    ...(attemptsOmitted > 0 ? [`  (${countText(attemptsOmitted, 'earlier attempt')} not shown)`] : []),
    ...attempts.flatMap(attemptLines),
    ...notifications.map(
      ({ kind, message, state: reached }) =>
        `  DSN to the sender (${told.get(kind) ?? kind}): ${message ?? 'not created yet'}${reached === null ? '' : `, ${reached}`}`,
    ),
  ]
}

const told = new Map([
  ['failed', 'failed'],
  ['delayed', 'delayed'],
  ['relayed', 'relayed'],
  ['delivered', 'delivered'],
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
  const when = at === null ? '' : ` at ${timeOf(at)}`
  const version = connectorsVersion === null ? '' : `, connectors version ${connectorsVersion}`
  return [
    `  Decision   ${action} (${reason})${when}${version}`,
    indented(printable(explanation), 13),
    ...(reply === null ? [] : [`  Reply      ${printable(reply)}`]),
    ...(reportOnly === null ? [] : [`  ReportOnly would be refused: ${printable(reportOnly)}`]),
    ...(considered.length === 0
      ? []
      : ['  Considered connectors, in order of precedence:', ...consideredText(considered, 4)]),
  ]
}

function attemptLines(attempt: Attempt): string[] {
  const { number, at, outcome, host, ip, reply, reportOnly, durationMs, leaseUntil } = attempt
  if (outcome === 'InProgress')
    return [
      `  Attempt ${number}  in progress${leaseUntil === null ? '' : `, until ${timeOf(leaseUntil)} at most`}`,
    ]
  const where =
    host === null ? 'no server was reached' : `${host}${ip === null ? '' : ` (${ip})`}, ${leftBy(attempt)}`
  return [
    `  Attempt ${number}  ${outcome}${at === null ? '' : ` at ${timeOf(at)}`}, ${where}`,
    `             ${demandOf(attempt)}${durationMs === null ? '' : `; duration ${durationMs} ms`}`,
    ...shownBy(attempt).map((line) => indented(line, 13)),
    ...(reply === null ? [] : [indented(printable(reply), 13)]),
    ...(reportOnly === null ? [] : [indented(`report only, would be refused: ${printable(reportOnly)}`, 13)]),
  ]
}
