/** Offers a message to a tenant of Exchange Online as a client that the tenant does not know. */
import { randomUUID } from 'node:crypto'
import type { Reply } from '../../../shared/contract/message.ts'
import { formatReply, isPermanent, parseReply } from '../../../shared/mail/reply.ts'
import type { ClientSession } from '../../../shared/net/smtp/client-session.ts'
import { type Endpoint, establishConnection } from '../../../shared/net/smtp/connection.ts'
import { assessSession, type TlsClearance } from '../../../shared/net/smtp/tls-clearance.ts'
import { replyForFault } from '../../../shared/net/smtp-faults.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import { ehloName } from '../facts/delivery-session.ts'
import { exchangeCommand } from '../facts/exchange-command.ts'
import type { ProbeOutcome } from './assess-bypass.ts'

export interface SenderProbeOptions {
  readonly sender: string
  readonly recipient: string
  /** Whether a message is sent after RCPT TO was accepted. */
  readonly sendsMessage: boolean
  /** Timeout of each step in milliseconds. */
  readonly timeout: number
  readonly at: Date
}

/** Connection, greeting, EHLO, STARTTLS, handshake, EHLO, MAIL, RCPT, DATA, content. */
const stepCount = 10

/** Never throws. */
export async function probeSender(endpoint: Endpoint, options: SenderProbeOptions): Promise<ProbeOutcome> {
  const { timeout } = options
  const signal = AbortSignal.timeout(stepCount * timeout)
  const requirements = { enforced: opportunistic, signal }
  const result = await establishConnection(
    endpoint,
    {
      ...requirements,
      ehloName: ehloName(),
      serverName: endpoint.host === endpoint.ip ? null : endpoint.host,
      timeouts: { connect: timeout, greeting: timeout, command: timeout, data: timeout },
    },
    'WhenOffered',
  )
  if (result.kind === 'Failed')
    return isPermanent(result.reply)
      ? { kind: 'Refused', at: 'connection', reply: result.reply }
      : { kind: 'Failed', cause: formatReply(result.reply) }
  if (result.kind === 'TlsFailed') return { kind: 'Failed', cause: 'the TLS handshake failed' }
  const { connection, tls } = result
  const assessment = await assessSession(connection.session, tls, requirements)
  if (assessment.kind !== 'Met') {
    connection.quit()
    return { kind: 'Failed', cause: 'the session ended' }
  }
  const outcome = await offerMessage(connection.session, assessment.clearance, options)
  connection.quit()
  return outcome
}

async function offerMessage(
  session: ClientSession,
  clearance: TlsClearance,
  { sender, recipient, sendsMessage, at }: SenderProbeOptions,
): Promise<ProbeOutcome> {
  const steps = [
    { name: 'MAIL FROM', octets: `MAIL FROM:<${sender}>\r\n` },
    { name: 'RCPT TO', octets: `RCPT TO:<${recipient}>\r\n` },
    ...(sendsMessage
      ? [
          { name: 'DATA', octets: 'DATA\r\n' },
          { name: 'end of data', octets: `${testMessage({ sender, recipient, at })}.\r\n` },
        ]
      : []),
  ]
  for (const { name, octets } of steps) {
    const { isAnswered, reply } = await replyTo(session, clearance, octets)
    if (!isAnswered) return { kind: 'Failed', cause: `${name}: ${formatReply(reply)}` }
    if (reply.code >= 400) return { kind: 'Refused', at: name, reply }
  }
  return { kind: sendsMessage ? 'MessageAccepted' : 'RecipientAccepted' }
}

interface Answer {
  /** False if the session failed; `reply` then describes the failure. */
  isAnswered: boolean
  reply: Reply
}

async function replyTo(session: ClientSession, clearance: TlsClearance, octets: string): Promise<Answer> {
  const answer = await exchangeCommand(session, clearance, octets)
  if (answer.kind === 'Fault') return { isAnswered: false, reply: replyForFault(answer.fault) }
  const reply = parseReply(answer.text)
  return reply
    ? { isAnswered: true, reply }
    : { isAnswered: false, reply: replyForFault({ kind: 'UnexpectedReply', response: answer.text }) }
}

/** RFC 5322; `Auto-Submitted` (RFC 3834) prevents automatic replies. */
function testMessage({
  sender,
  recipient,
  at,
}: Pick<SenderProbeOptions, 'sender' | 'recipient' | 'at'>): string {
  const domain = sender.slice(sender.lastIndexOf('@') + 1)
  const lines = [
    `From: <${sender}>`,
    `To: <${recipient}>`,
    'Subject: Test: this message did not pass the mail gateway',
    `Date: ${at.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${randomUUID()}@${domain}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'An administrator sent this message with "mailflow check exchange-online".',
    'It went straight to Exchange Online and not through the mail gateway.',
    'There is nothing to do.',
  ]
  return lines.map((line) => `${line}\r\n`).join('')
}
