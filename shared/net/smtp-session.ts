/**
 * One SMTP session with one next hop: opens it, assesses its TLS, then sends messages. The gate of gated-connection.ts
 * stops every message until the assessment.
 */
import type { Recipient, Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { forcesTls, type HopRequirement, type TlsFault } from '../tls/requirement.ts'
import { assessRevocation, assessServerTls, type ServerTls } from '../tls/server-certificate.ts'
import { type MailTraits, unsupported } from './esmtp.ts'
import {
  type Endpoint,
  establish,
  type GatedConnection,
  type SessionOptions,
  type Transaction,
} from './gated-connection.ts'

export type Opening<Session = SmtpSession> =
  /** With the fault of the first report-only requirement that is not met. */
  | { kind: 'Admitted'; session: Session; tls: ServerTls; tried: TlsFault | null }
  /** The enforced requirement is not met. */
  | { kind: 'TlsNotMet'; fault: TlsFault; tls: ServerTls }
  /** No session was established; 4yz or 5yz. */
  | { kind: 'Failed'; reply: Reply }

/** Connects, negotiates TLS and assesses it. An opportunistic session whose TLS fails starts again in the clear. */
export async function openSession(hop: Endpoint, options: SessionOptions): Promise<Opening> {
  const forced = forcesTls(options.enforced)
  const first = await establish(hop, options, forced ? 'Required' : 'WhenOffered')
  if (first.kind === 'Failed') return first
  if (first.kind === 'Established') return admit(first.connection, first.tls, options)
  if (forced) return notMet(options.enforced, first.tls)
  const second = await establish(hop, options, 'Never')
  if (second.kind === 'Failed') return second
  return second.kind === 'Established'
    ? admit(second.connection, first.tls, options)
    : notMet(options.enforced, first.tls)
}

async function admit(
  connection: GatedConnection,
  seen: ServerTls,
  options: SessionOptions,
): Promise<Opening> {
  const { enforced, trials = [] } = options
  const at = new Date()
  const ofEnforced = assessServerTls(enforced, seen, at)
  const ofTrials = trials.map((trial) => trial.fault ?? assessServerTls(trial.requirement, seen, at))
  const passed = trials.map(({ requirement }) => requirement).filter((_, index) => ofTrials[index] === null)
  // For a session that is refused anyway, revocation is not checked.
  const asking = ofEnforced === null ? [enforced, ...passed].find(asksForRevocation) : undefined
  const tls = asking ? await withRevocation(seen, asking, at, options) : seen
  const revocationFault = (requirement: HopRequirement) =>
    'revocation' in tls && tls.revocation ? assessRevocation(requirement, tls.revocation) : null
  const fault = ofEnforced ?? revocationFault(enforced)
  if (fault !== null) {
    connection.quit()
    return { kind: 'TlsNotMet', fault, tls }
  }
  // During the revocation check the server may have sent a reply or closed the connection.
  const spoilt = connection.spoilt()
  if (spoilt) return { kind: 'Failed', reply: spoilt }
  const tried = trials.map(({ requirement }, index) => ofTrials[index] ?? revocationFault(requirement))
  const first = tried.find((found) => found !== null) ?? null
  return { kind: 'Admitted', session: new SmtpSession(connection), tls, tried: first }
}

const asksForRevocation = ({ revocationCheck }: HopRequirement): boolean => revocationCheck !== 'None'

/** Runs before any command of a transaction. */
async function withRevocation(
  tls: ServerTls,
  { certificateAuthorities: authorities }: HopRequirement,
  at: Date,
  { revocation, signal }: SessionOptions,
): Promise<ServerTls> {
  if (tls.kind !== 'Established') return tls
  const found = await revocation?.({ chain: tls.chain, authorities, at }, signal)
  return { ...tls, revocation: found ?? { status: 'Unknown', detail: 'revocation is not checked here' } }
}

function notMet(enforced: HopRequirement, tls: ServerTls): Opening {
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
  refuses(mail: MailTraits): Reply | null {
    return unsupported(mail, this.#connection.extensions)
  }

  /** Whether the server supports DSN (RFC 3461), and so notifies the sender itself. */
  get passesDsnOn(): boolean {
    return this.#connection.extensions.has('DSN')
  }

  /** Sends the message. One at a time. */
  async send(mail: MailTraits, recipients: readonly Recipient[], content: Buffer): Promise<Transaction> {
    this.#connection.openGate(mail, recipients)
    try {
      return await this.#connection.send(mail, recipients, content)
    } finally {
      this.#connection.closeGate()
    }
  }

  /** Whether the connection is open, as far as known, and no reply is outstanding. */
  get isIdle(): boolean {
    return this.#connection.isIdle
  }

  /** Resets a transaction that may be unfinished. @returns whether another may begin */
  ready(): Promise<boolean> {
    return this.#connection.ready()
  }

  /** Sends QUIT without waiting. */
  close(): void {
    this.#connection.quit()
  }

  /** Settles once the local end of the connection is closed. */
  get closed(): Promise<void> {
    return this.#connection.closed
  }
}

export type { SmtpSession }
