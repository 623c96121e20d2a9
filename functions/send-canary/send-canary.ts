/**
 * Sends one canary to the ingress, as a partner's server sends mail: to the host name that the MX records name, over TLS
 * with a verified certificate. Unlike a partner, it uses the port for canaries.
 */
import { canaryPort } from '../../shared/contract/canary.ts'
import { basicEnvelope, newRecipient } from '../../shared/contract/message.ts'
import { canaryAddress } from '../../shared/mail/canary-address.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { traitsOf } from '../../shared/net/esmtp.ts'
import type { SmtpTimeouts } from '../../shared/net/smtp/connection.ts'
import { openSession } from '../../shared/net/smtp-session.ts'
import type { HopRequirement } from '../../shared/tls/requirement.ts'
import type { CanaryTable } from '../../shared/transport/canary-table.ts'

export interface SendOptions {
  canaries: Pick<CanaryTable, 'recordSent'>
  hostname: string
  /** PEM; empty means the public roots. */
  authorities: readonly string[]
  newId(): string
  timeouts: SmtpTimeouts
  signal: AbortSignal
  /** @default `canaryPort` */
  port?: number
}

export type SentCanary =
  | { kind: 'Accepted'; id: string; reply: string }
  /** No session was established: no address, no connection, no greeting, or a negative reply before the message. */
  | { kind: 'NoSession'; id: string; reply: string }
  /** No TLS, or a certificate that partners would not accept. */
  | { kind: 'TlsNotMet'; id: string; reply: string }
  /** A negative reply to the message, or none. */
  | { kind: 'Refused'; id: string; reply: string }

/** Never throws because of the ingress. @throws when the table fails */
export async function sendCanary(options: SendOptions): Promise<SentCanary> {
  const { canaries, hostname, timeouts, signal, port = canaryPort } = options
  const id = options.newId()
  await canaries.recordSent(id)
  // The system resolves the name, and Node tries each of its addresses.
  const opening = await openSession(
    { host: hostname, ip: hostname, port },
    {
      ehloName: hostname,
      serverName: hostname,
      enforced: requirementFor(options),
      timeouts,
      signal,
    },
  )
  if (opening.kind === 'Failed') return { kind: 'NoSession', id, reply: formatReply(opening.reply) }
  if (opening.kind === 'TlsNotMet') return { kind: 'TlsNotMet', id, reply: formatReply(opening.fault.reply) }
  const recipient = newRecipient(canaryAddress(id, hostname))
  const content = canaryContent(id, hostname)
  const mail = traitsOf(basicEnvelope(''), [recipient], content)
  try {
    const { replies } = await opening.session.send(mail, [recipient], content)
    const reply = replies.get(recipient.address)
    const isAccepted = reply !== undefined && reply.code < 300
    return { kind: isAccepted ? 'Accepted' : 'Refused', id, reply: reply ? formatReply(reply) : 'no reply' }
  } finally {
    opening.session.close()
  }
}

const requirementFor = ({
  hostname,
  authorities,
}: Pick<SendOptions, 'hostname' | 'authorities'>): HopRequirement => ({
  level: 'DomainValidation',
  source: 'Connector',
  names: [hostname],
  tlsa: [],
  certificateAuthorities: authorities,
  minimumTlsVersion: 'TLSv1.2',
  // A check of revocation would depend on a server of the authority.
  revocationCheck: 'None',
})

/** RFC 5322 §3.6 and RFC 3834 §5. */
function canaryContent(id: string, hostname: string): Buffer {
  const address = canaryAddress(id, hostname)
  const lines = [
    `From: <canary@${hostname}>`,
    `To: <${address}>`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${id}@${hostname}>`,
    'Subject: Canary',
    'Auto-Submitted: auto-generated',
    '',
    'This message shows that mail passes.',
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}
