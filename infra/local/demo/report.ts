/** What the demo prints: a table for somebody who sees mailflow for the first time. At most 110 columns. */
import { dirname, join } from 'node:path'
import type { Endpoints } from '../endpoints.ts'
import type { Sent } from '../send-mail.ts'
import { mailboxName } from './partners.ts'
import type { Step } from './scenario.ts'
import type { MessageTrace, RecipientTrace } from './trace.ts'

export interface Row {
  readonly step: Step
  readonly answer: Sent
  /** Null when the message was refused, or is not decided in time. */
  readonly trace: MessageTrace | null
}

type Names = ReadonlyMap<string, string>

const columns = 110
const widths = [3, 42, 13, 16, 11]
const heading = ['', 'Who → whom', 'Came in', 'Connector', 'Decision', 'How it left']

const legend = wrap(
  'We are ours.example: Ann has her mailbox here, behind the gateway. Bank, clinic and vault are partners that we ' +
    'agreed TLS with, each by a connector; paper and workshop are strangers, and so are archive and museum, whose zones say what TLS they have. Only our own mail server, known by ' +
    'its certificate, may send to the outside, so Ann may. “Connector” names the rule that decided: the ' +
    'inbound one for mail from a partner, else the outbound one.',
  columns,
)

export function renderTable(rows: readonly Row[], notification: MessageTrace | null, names: Names): string {
  const blocks = rows.map((row, index) => block(index + 1, cellsOf(row, names), whyOf(row)))
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

function cellsOf({ step, answer, trace }: Row, names: Names): string[] {
  const cameIn = step.as === 'Plain' ? 'in the clear' : (trace?.tls.protocol ?? 'TLS')
  const who = `${step.from} → ${step.to}`
  if (!answer.accepted) return [who, cameIn, step.refusedBy ?? '', 'Refused', 'never taken in']
  const recipient = trace?.recipients[0]
  if (trace === null || recipient === undefined) return [who, cameIn, '', 'Undecided', '']
  return [who, cameIn, connectorOf(trace, recipient, names), recipient.state, howItLeft(recipient)]
}

/** The one that says something about the partner: our own mail server's is the same on every line. */
function connectorOf(
  { direction }: MessageTrace,
  { verdict, attempts }: RecipientTrace,
  names: Names,
): string {
  const { inbound = null, outbound = null } = verdict?.connectors ?? {}
  const telling = direction === 'Incoming' ? (inbound ?? outbound) : outbound
  if (telling !== null) return names.get(telling) ?? telling
  return attempts.at(-1)?.policySource === 'Dane' ? 'none, but DANE' : 'none'
}

function howItLeft({ state, attempts }: RecipientTrace): string {
  const last = attempts.at(-1)
  if (state === 'Deferred') return 'not yet, it waits'
  if (state === 'Bounced') return 'not at all'
  if (last === undefined) return 'unknown'
  if (last.tls === null) return last.host === 'Amazon SES' ? 'by Amazon SES' : 'in the clear'
  return `${last.tls.protocol}, ${last.tls.verified ? 'verified' : 'not verified'}`
}

function whyOf({ step, answer, trace }: Row): string {
  if (!answer.accepted) return `${sentence(step.shows)} The server answered: ${answer.reply}`
  const recipient = trace?.recipients[0]
  const reply = recipient?.attempts.at(-1)?.reply
  if (recipient?.state === 'Delivered' || reply === undefined) return sentence(step.shows)
  return `${sentence(step.shows)} The attempt came to: ${outcomeOf(reply)}`
}

/** Our own code and words first; what the other server said, where it is repeated, stands after them. */
function outcomeOf(reply: string): string {
  const [, ours, theirs] = /^(.+): (\d{3}[ -].*)$/s.exec(reply) ?? []
  return ours === undefined ? reply : `${ours}. Their server had answered: ${theirs}`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function notificationCells(trace: MessageTrace, names: Names): string[] {
  const recipient = trace.recipients[0]
  const who = `<> → ${trace.envelope.rcptTo[0] ?? ''}`
  if (recipient === undefined) return [who, 'made here', '', 'Undecided', '']
  return [who, 'made here', connectorOf(trace, recipient, names), recipient.state, howItLeft(recipient)]
}

const notificationWhy =
  'The delivery status notification that tells Ann why her message to the vault came back.'

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
 * Commands to copy; `npx node` is the Node.js of this repository, whatever the machine's own is.
 * @param id of the message to look up; null when the demo sent none, because the state was kept from before
 */
export function howToGoOn(endpoints: Endpoints, id: string | null): string {
  const port = endpoints.smtp.split(':')[1]
  const api = endpoints.api === usualApi ? '' : ` --api ${endpoints.api}`
  const certificate = join(dirname(endpoints.authority), `${mailboxName}.pem`)
  return `${id === null ? keptState : ''}Send one more, as a stranger in the clear (the answer names the message's id):
  npx node infra/local/send.ts --port ${port} --from you@paper.example --to ann@ours.example
As our own server, which its certificate identifies, and which alone may send to the outside:
  npx node infra/local/send.ts --port ${port} --from ann@ours.example --to teller@bank.example \\
    --certificate ${certificate}
With other tools:
  swaks --server ${endpoints.smtp} --tls --from you@paper.example --to ann@ours.example
  openssl s_client -quiet -starttls smtp -crlf -connect ${endpoints.smtp}

Look a message up, list all of them, see the connectors, ask why:
  npx mailflow messages ${id ?? 'ID'}${api}
  npx mailflow messages${api}
  npx mailflow connectors list${api}
  npx mailflow explain --from teller@bank.example --to ann@ours.example --ip 192.0.2.1${api && ` \\\n   ${api}`}

What partners are told of our certificate, as a page:
  ${endpoints.pages}

The authority that signed these servers' certificates: ${endpoints.authority}
What each unit logs: ${endpoints.logs}
Ctrl-C stops everything.
`
}

/** Where the command line looks by itself. */
const usualApi = 'http://127.0.0.1:8080'

const keptState = `
The state is kept from before, so it is left as it is and the demo sends nothing.

`
