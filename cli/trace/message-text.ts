/** One message in words: how it came in, and for each recipient what was decided, why, and what came of it. */

import { counted } from '../../shared/policy/words.ts'
import { indented } from '../text/table.ts'
import { printable, timeOf } from '../text/words.ts'
import { consideredText } from './considered-connectors.ts'
import { cameIn, certificateText, demandOf, leftBy, senderText, shownBy } from './session-words.ts'
import type { Attempt, Entry, Recipient, Verdict } from './trace-entry.ts'

export function messageText(entry: Entry): string {
  const { id, receivedAt, envelope, source, tls, size, direction, recipients } = entry
  const from = source === null ? 'made by this gateway' : `from ${source.ip} (${printable(source.helo)})`
  const session = tls.negotiated ? `${tls.protocol}, ${tls.cipher}` : cameIn(entry)
  return [
    `Message ${id}`,
    `  Received   ${timeOf(receivedAt)}, ${from}, ${session}`,
    ...(tls.clientCertificate === null ? [] : certificateLines(tls.clientCertificate)),
    `  Sender     ${senderText(envelope.mailFrom)} (${direction === 'Originating' ? 'our own organisation' : 'from outside'})`,
    `  Size       ${counted(size, 'octet')}`,
    ...recipients.flatMap((recipient) => ['', ...recipientLines(recipient)]),
  ].join('\n')
}

function certificateLines(certificate: NonNullable<Entry['tls']['clientCertificate']>): string[] {
  const [first, ...rest] = certificateText(certificate)
  return [`  Showed     ${first}`, ...rest.map((text) => `             ${text}`)]
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
  const waits = until === null ? '' : `, decided again at ${timeOf(until)}`
  const ends = givenUpAt === null ? '' : `, given up at ${timeOf(givenUpAt)}`
  // While it is held the decision says the same.
  const wasHeld = firstHeld !== null && firstHeld.reason !== verdict?.reason ? firstHeld : null
  return [
    `${printable(address)}: ${state}${waits}${ends}`,
    ...(wasHeld === null
      ? []
      : [
          `  Was held   (${wasHeld.reason}) at ${timeOf(wasHeld.at)}`,
          indented(printable(wasHeld.explanation), 13),
        ]),
    ...(verdict === null ? ['  Not decided yet.'] : verdictLines(verdict)),
    ...(attemptsOmitted > 0 ? [`  (${counted(attemptsOmitted, 'earlier attempt')} not shown)`] : []),
    ...attempts.flatMap(attemptLines),
    ...notifications.map(
      ({ kind, message, state: reached }) =>
        `  The sender was told that it ${told.get(kind) ?? kind}: ${message ?? 'under way'}${reached === null ? '' : `, ${reached}`}`,
    ),
  ]
}

const told = new Map([
  ['failed', 'failed'],
  ['delayed', 'is delayed'],
  ['relayed', 'was handed on'],
  ['delivered', 'was delivered'],
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
  const version = connectorsVersion === null ? '' : `, by version ${connectorsVersion} of the connectors`
  return [
    `  Decision   ${action} (${reason})${when}${version}`,
    indented(printable(explanation), 13),
    ...(reply === null ? [] : [`  Reply      ${printable(reply)}`]),
    ...(reportOnly === null ? [] : [`  A trial    would have refused it: ${printable(reportOnly)}`]),
    ...(considered.length === 0
      ? []
      : ['  Connectors that were considered, in this order:', ...consideredText(considered, 4)]),
  ]
}

function attemptLines(attempt: Attempt): string[] {
  const { number, at, outcome, host, ip, reply, reportOnly, durationMs, leaseUntil } = attempt
  if (outcome === 'InProgress')
    return [
      `  Attempt ${number}  under way, until ${leaseUntil === null ? 'unknown' : timeOf(leaseUntil)} at most`,
    ]
  const where =
    host === null ? 'no server was reached' : `${host}${ip === null ? '' : ` (${ip})`}, ${leftBy(attempt)}`
  return [
    `  Attempt ${number}  ${outcome}${at === null ? '' : ` at ${timeOf(at)}`}, ${where}`,
    `             ${demandOf(attempt)}${durationMs === null ? '' : `; it took ${durationMs} ms`}`,
    ...shownBy(attempt).map((line) => indented(line, 13)),
    ...(reply === null ? [] : [indented(printable(reply), 13)]),
    ...(reportOnly === null ? [] : [indented(`a trial would have refused: ${printable(reportOnly)}`, 13)]),
  ]
}
