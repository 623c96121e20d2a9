/** Formats the demo's results for a first-time user, in at most 110 columns. */
import { dirname, join } from 'node:path'
import type { Endpoints } from '../endpoints.ts'
import type { SendResult } from '../send-mail.ts'
import { bankName, mailboxName } from './partners.ts'
import type { Step } from './scenario.ts'
import type { MessageTrace, RecipientTrace } from './trace.ts'

export interface Row {
  readonly step: Step
  readonly result: SendResult
  /** Null for a refused message, or a message that is not decided in time. */
  readonly trace: MessageTrace | null
}

type Names = ReadonlyMap<string, string>

const columns = 110
const widths = [3, 42, 13, 16, 11]
const heading = ['', 'From → To', 'Inbound', 'Connector', 'Decision', 'Outbound']

const legend = wrap(
  'The accepted domain is ours.example; the mailbox of ann@ours.example is on the mail server behind the gateway. Bank, clinic and vault ' +
    'are partners with a connector that forces TLS. Paper, workshop, archive and museum have no connector; archive and museum publish TLSA records (DANE). ' +
    'Only the organisation’s mail server, identified by its certificate, may send to other domains. “Connector” is the inbound ' +
    'Partner connector that matches the sender; if there is none, the outbound connector of the recipient.',
  columns,
)

export function renderTable(rows: readonly Row[], notification: MessageTrace | null, names: Names): string {
  const blocks = rows.map((row, index) => block(index + 1, cellsOf(row, names), explanationOf(row)))
  const last =
    notification === null
      ? []
      : [block(rows.length + 1, notificationCells(notification, names), notificationWhy)]
  return ['', ...legend, '', line(heading), '─'.repeat(columns), ...blocks, ...last].join('\n')
}

function block(number: number, cells: readonly string[], why: string): string {
  return [line([String(number), ...cells]), ...wrap(why, columns - 5).map((text) => `     ${text}`), ''].join(
    '\n',
  )
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join('')
    .trimEnd()
}

function cellsOf({ step, result, trace }: Row, names: Names): string[] {
  const inboundSession = step.session === 'Plain' ? 'in the clear' : (trace?.tls.protocol ?? 'TLS')
  const route = `${step.from} → ${step.to}`
  if (!result.accepted) return [route, inboundSession, step.refusedBy ?? '', 'Refused', 'not accepted']
  const recipient = trace?.recipients[0]
  if (trace === null || recipient === undefined) return [route, inboundSession, '', 'Undecided', '']
  return [
    route,
    inboundSession,
    connectorOf(trace, recipient, names),
    recipient.state,
    outboundTextOf(recipient),
  ]
}

/**
 * Returns the name of the partner's connector. The connector of the organisation's mail server is left out, because it
 * is the same on every line.
 */
function connectorOf(
  { direction }: MessageTrace,
  { verdict, attempts }: RecipientTrace,
  names: Names,
): string {
  const { inbound = null, outbound = null } = verdict?.connectors ?? {}
  const connectorId = direction === 'Incoming' ? (inbound ?? outbound) : outbound
  if (connectorId !== null) return names.get(connectorId) ?? connectorId
  return attempts.at(-1)?.policySource === 'Dane' ? 'none (DANE)' : 'none'
}

function outboundTextOf({ state, attempts }: RecipientTrace): string {
  const last = attempts.at(-1)
  if (state === 'Deferred') return 'not sent yet'
  if (state === 'Bounced') return 'not sent'
  if (last === undefined) return 'unknown'
  if (last.tls === null) return last.host === 'Amazon SES' ? 'Amazon SES' : 'in the clear'
  return `${last.tls.protocol}, ${last.tls.verified ? 'verified' : 'not verified'}`
}

function explanationOf({ step, result, trace }: Row): string {
  if (!result.accepted) return `${sentence(step.demonstrates)} Reply: ${result.reply}`
  const recipient = trace?.recipients[0]
  const reply = recipient?.attempts.at(-1)?.reply
  if (recipient?.state === 'Delivered' || reply === undefined) return sentence(step.demonstrates)
  return `${sentence(step.demonstrates)} Last attempt: ${outcomeOf(reply)}`
}

/** Puts the reply of the next hop, if there is one, after mailflow's reply. */
function outcomeOf(reply: string): string {
  const [, mailflowReply, partnerReply] = /^(.+): (\d{3}[ -].*)$/s.exec(reply) ?? []
  return mailflowReply === undefined ? reply : `${mailflowReply}. Reply of the partner: ${partnerReply}`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function notificationCells(trace: MessageTrace, names: Names): string[] {
  const recipient = trace.recipients[0]
  const route = `<> → ${trace.envelope.rcptTo[0] ?? ''}`
  if (recipient === undefined) return [route, noSession, '', 'Undecided', '']
  return [route, noSession, connectorOf(trace, recipient, names), recipient.state, outboundTextOf(recipient)]
}

/** The inbound session of a message that mailflow created. */
const noSession = 'none (DSN)'

const notificationWhy =
  'The DSN (delivery status notification) that mailflow created for Ann: her message to the vault bounced.'

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.replaceAll(/\s+/g, ' ').split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/**
 * Returns commands to copy. `npx node` is the Node.js of this repository.
 * @param bankServer address and port of the bank's server
 * @param id the id of a demo message; null when the demo sent none, because an earlier state exists
 */
export function nextSteps(endpoints: Endpoints, bankServer: string, id: string | null): string {
  const port = endpoints.smtp.split(':')[1]
  const api = endpoints.api === defaultApi ? '' : ` --api ${endpoints.api}`
  const certificate = join(dirname(endpoints.authority), `${mailboxName}.pem`)
  return `${id === null ? existingStateText : ''}Send another message in the clear (the reply contains the message id):
  npx node infra/local/send.ts --port ${port} --from you@paper.example --to ann@ours.example
Send as the organisation’s mail server, which may relay and is identified by its certificate:
  npx node infra/local/send.ts --port ${port} --from ann@ours.example --to teller@bank.example \\
    --certificate ${certificate}
Use other tools:
  swaks --server ${endpoints.smtp} --tls --from you@paper.example --to ann@ours.example
  openssl s_client -quiet -starttls smtp -crlf -connect ${endpoints.smtp}

Show one message, list messages, list connectors, explain a decision:
  npx mailflow messages ${id ?? 'ID'}${api}
  npx mailflow messages${api}
  npx mailflow connectors list${api}
  npx mailflow explain --from teller@bank.example --to ann@ours.example --ip 192.0.2.1${api && ` \\\n   ${api}`}
Test the connector to the bank, check the certificate of the bank's server:
  npx mailflow connectors validate "To the bank"${api}
  npx mailflow check ${bankServer} --servername ${bankName} \\
    --ca ${endpoints.authority}

The console: search for messages, see what waits, change connectors:
  ${endpoints.console}
Web page with the published certificates of this gateway:
  ${endpoints.pages}

Certificate authority of these servers: ${endpoints.authority}
Logs: ${endpoints.logs}
Press Ctrl-C to stop.
`
}

/** The API address that `npx mailflow` uses by default. */
const defaultApi = 'http://127.0.0.1:8080'

const existingStateText = `
The state directory already has a configuration, so the demo changes nothing and sends no messages.

`
