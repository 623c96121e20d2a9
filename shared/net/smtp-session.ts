/**
 * One SMTP session with one next hop: opened, judged by its TLS, and then handed messages. What stands between a message
 * and a session that was not judged is the gate of gated-connection.ts.
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
  /** `tried`: what a trial found wrong. */
  | { kind: 'Admitted'; session: Session; tls: ServerTls; tried: TlsFault | null }
  /** The requirement is enforced and not met. */
  | { kind: 'TlsNotMet'; fault: TlsFault; tls: ServerTls }
  /** No session came about; 4xx or 5xx. */
  | { kind: 'Failed'; reply: Reply }

/** Connects, negotiates TLS and assesses it; an opportunistic session whose TLS fails begins again in the clear. */
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
  // A session that is refused anyway asks nobody.
  const asking = ofEnforced === null ? [enforced, ...passed].find(asksForRevocation) : undefined
  const tls = asking ? await withRevocation(seen, asking, at, options) : seen
  const revocationFault = (requirement: HopRequirement) =>
    'revocation' in tls && tls.revocation ? assessRevocation(requirement, tls.revocation) : null
  const fault = ofEnforced ?? revocationFault(enforced)
  if (fault !== null) {
    connection.quit()
    return { kind: 'TlsNotMet', fault, tls }
  }
  // While others were asked, the server may have said something, or gone.
  const spoilt = connection.spoilt()
  if (spoilt) return { kind: 'Failed', reply: spoilt }
  const tried = trials.map(({ requirement }, index) => ofTrials[index] ?? revocationFault(requirement))
  const first = tried.find((found) => found !== null) ?? null
  return { kind: 'Admitted', session: new SmtpSession(connection), tls, tried: first }
}

const asksForRevocation = ({ revocationCheck }: HopRequirement): boolean => revocationCheck !== 'None'

/** Nothing of a message was said yet, and nothing is until this is known. */
async function withRevocation(
  tls: ServerTls,
  { certificateAuthorities: authorities }: HopRequirement,
  at: Date,
  { revocation, signal }: SessionOptions,
): Promise<ServerTls> {
  if (tls.kind !== 'Established') return tls
  const found = await revocation?.({ chain: tls.chain, authorities, at }, signal)
  return { ...tls, revocation: found ?? { status: 'Unknown', detail: 'nobody is asked from here' } }
}

function notMet(enforced: HopRequirement, tls: ServerTls): Opening {
  const fallback: TlsFault = {
    reply: reply(451, '7.5', 'TLS could not be established'),
    result: 'validation-failure',
  }
  return { kind: 'TlsNotMet', fault: assessServerTls(enforced, tls, new Date()) ?? fallback, tls }
}

/** A session whose TLS was found good enough for its messages. */
class SmtpSession {
  readonly #connection: GatedConnection

  constructor(connection: GatedConnection) {
    this.#connection = connection
  }

  /** @returns why the server cannot take this message, or null when it can be sent */
  refuses(mail: MailTraits): Reply | null {
    return unsupported(mail, this.#connection.extensions)
  }

  /** Whether the server is told when to notify the sender (RFC 3461). */
  get passesDsnOn(): boolean {
    return this.#connection.extensions.has('DSN')
  }

  /** Hands the message over. One at a time. */
  async send(mail: MailTraits, recipients: readonly Recipient[], content: Buffer): Promise<Transaction> {
    this.#connection.openGate(mail, recipients)
    try {
      return await this.#connection.send(mail, recipients, content)
    } finally {
      this.#connection.closeGate()
    }
  }

  /** Whether the server awaits another transaction, as far as is known, and owes no reply. */
  get isIdle(): boolean {
    return this.#connection.isIdle
  }

  /** Ends a transaction that the server may believe to be under way. @returns whether another may begin */
  ready(): Promise<boolean> {
    return this.#connection.ready()
  }

  /** Says QUIT and waits for nothing. */
  close(): void {
    this.#connection.quit()
  }

  /** Settles once our end of the connection is closed. */
  get closed(): Promise<void> {
    return this.#connection.closed
  }
}

export type { SmtpSession }
