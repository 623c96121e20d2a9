/**
 * One SMTP session with one next hop: opens it, assesses its TLS, then sends messages. The gate of gated-connection.ts
 * stops every message until the assessment.
 */
import type { Recipient, Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { assessRevocation, assessServerTls, type ServerTls } from '../tls/assess-server-tls.ts'
import { forcesTls, type HopRequirement, type TlsFault } from '../tls/requirement.ts'
import type { AttemptBudget } from './attempt-budget.ts'
import { checkExtensions, type MessageTraits } from './esmtp.ts'
import {
  type Endpoint,
  establishConnection,
  type GatedConnection,
  type SessionOptions,
  type Transaction,
} from './gated-connection.ts'

export type SessionOpening<Session = SmtpSession> =
  /** `reportOnlyFault`: the fault of the first report-only requirement that is not met; null when all are met. */
  | { kind: 'Admitted'; session: Session; tls: ServerTls; reportOnlyFault: TlsFault | null }
  /** The enforced requirement is not met. */
  | { kind: 'TlsNotMet'; fault: TlsFault; tls: ServerTls }
  /** No session was established; the reply is 4yz or 5yz. */
  | { kind: 'Failed'; reply: Reply }

/** Connects, negotiates TLS and assesses it. An opportunistic session whose TLS fails starts again in the clear. */
export async function openSession(hop: Endpoint, options: SessionOptions): Promise<SessionOpening> {
  const isForced = forcesTls(options.enforced)
  const firstResult = await establishConnection(hop, options, isForced ? 'Required' : 'WhenOffered')
  if (firstResult.kind === 'Failed') return firstResult
  if (firstResult.kind === 'Established')
    return assessSession(firstResult.connection, firstResult.tls, options)
  if (isForced) return tlsNotMet(options.enforced, firstResult.tls)
  const clearResult = await establishConnection(hop, options, 'Never')
  if (clearResult.kind === 'Failed') return clearResult
  return clearResult.kind === 'Established'
    ? assessSession(clearResult.connection, firstResult.tls, options)
    : tlsNotMet(options.enforced, firstResult.tls)
}

async function assessSession(
  connection: GatedConnection,
  observedTls: ServerTls,
  options: SessionOptions,
): Promise<SessionOpening> {
  const { enforced, reportOnly = [] } = options
  const at = new Date()
  const enforcedFault = assessServerTls(enforced, observedTls, at)
  const reportOnlyFaults = reportOnly.map(
    (reportOnlyRequirement) =>
      reportOnlyRequirement.fault ?? assessServerTls(reportOnlyRequirement.requirement, observedTls, at),
  )
  const metRequirements = reportOnly
    .map(({ requirement }) => requirement)
    .filter((_, index) => reportOnlyFaults[index] === null)
  // For a session that is refused anyway, revocation is not checked.
  const requirementToCheck =
    enforcedFault === null ? [enforced, ...metRequirements].find(needsRevocationCheck) : undefined
  const tls = requirementToCheck
    ? await addRevocation(observedTls, requirementToCheck, at, options)
    : observedTls
  const revocationFault = (requirement: HopRequirement) =>
    'revocation' in tls && tls.revocation ? assessRevocation(requirement, tls.revocation) : null
  const fault = enforcedFault ?? revocationFault(enforced)
  if (fault !== null) {
    connection.quit()
    return { kind: 'TlsNotMet', fault, tls }
  }
  // During the revocation check the server may have sent a reply or closed the connection.
  const unusableReason = connection.unusableReason()
  if (unusableReason) return { kind: 'Failed', reply: unusableReason }
  const allReportOnlyFaults = reportOnly.map(
    ({ requirement }, index) => reportOnlyFaults[index] ?? revocationFault(requirement),
  )
  const reportOnlyFault = allReportOnlyFaults.find((candidate) => candidate !== null) ?? null
  return { kind: 'Admitted', session: new SmtpSession(connection), tls, reportOnlyFault }
}

const needsRevocationCheck = ({ revocationCheck }: HopRequirement): boolean => revocationCheck !== 'None'

/** Runs before any command of a transaction. */
async function addRevocation(
  tls: ServerTls,
  { certificateAuthorities: authorities }: HopRequirement,
  at: Date,
  { checkRevocation, signal }: SessionOptions,
): Promise<ServerTls> {
  if (tls.kind !== 'Established') return tls
  const revocation = await checkRevocation?.({ chain: tls.chain, authorities, at }, signal)
  return {
    ...tls,
    revocation: revocation ?? { status: 'Unknown', detail: 'no revocation check is configured' },
  }
}

function tlsNotMet(enforced: HopRequirement, tls: ServerTls): SessionOpening {
  const fallback: TlsFault = {
    reply: reply(451, '4.7.5', 'TLS could not be established'),
    result: 'validation-failure',
  }
  return { kind: 'TlsNotMet', fault: assessServerTls(enforced, tls, new Date()) ?? fallback, tls }
}

/** A session whose TLS meets the requirement of its messages. */
class SmtpSession {
  readonly #connection: GatedConnection

  constructor(connection: GatedConnection) {
    this.#connection = connection
  }

  /** @returns why the server cannot accept this message, or null */
  findRefusal(mail: MessageTraits): Reply | null {
    return checkExtensions(mail, this.#connection.extensions)
  }

  /** Whether the server supports DSN (RFC 3461). Then it notifies the sender itself. */
  get supportsDsn(): boolean {
    return this.#connection.extensions.has('DSN')
  }

  /** Sends a message. The previous call must have returned. */
  async send(
    mail: MessageTraits,
    recipients: readonly Recipient[],
    content: Buffer,
    budget?: AttemptBudget,
  ): Promise<Transaction> {
    this.#connection.openGate(mail, recipients)
    try {
      return await this.#connection.send(mail, recipients, content, budget)
    } finally {
      this.#connection.closeGate()
    }
  }

  /** Whether the connection appears open, QUIT was not sent, and no data from the server is unread. */
  get isIdle(): boolean {
    return this.#connection.isIdle
  }

  /** Resets a transaction that may be unfinished. @returns whether another transaction may begin */
  prepareForNext(): Promise<boolean> {
    return this.#connection.prepareForNext()
  }

  /** Sends QUIT without waiting for the reply. While a message is being sent, destroys the connection instead. */
  close(): void {
    this.#connection.quit()
  }

  /** Settles once the local end of the connection is closed. */
  get closed(): Promise<void> {
    return this.#connection.closed
  }
}

export type { SmtpSession }
