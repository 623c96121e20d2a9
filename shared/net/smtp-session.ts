/** One SMTP session with one next hop: opens it, assesses its TLS, then sends messages. */
import type { Recipient, Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { assessServerTls, type ServerTls } from '../tls/assess-server-tls.ts'
import { forcesTls, type HopRequirement, type TlsFault } from '../tls/requirement.ts'
import type { AttemptBudget } from './attempt-budget.ts'
import {
  checkExtensions,
  type Extensions,
  formatMailCommand,
  formatRecipientCommand,
  type MessageTraits,
  type SessionLimits,
  sessionLimits,
  takeRecipients,
} from './esmtp.ts'
import {
  type Endpoint,
  type EstablishResult,
  establishConnection,
  type SessionOptions,
  type SmtpConnection,
} from './smtp/connection.ts'
import { MailTransaction } from './smtp/mail-transaction.ts'
import { RecipientQuery, type RecipientQueryResult } from './smtp/recipient-query.ts'
import { assessSession, type TlsClearance } from './smtp/tls-clearance.ts'
import type { Transaction } from './smtp/transaction-replies.ts'

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
  if (firstResult.kind === 'Established') return admit(hop, firstResult, firstResult.tls, options)
  if (isForced) return tlsNotMet(options.enforced, firstResult.tls)
  const clearResult = await establishConnection(hop, options, 'Never')
  if (clearResult.kind === 'Failed') return clearResult
  return clearResult.kind === 'Established'
    ? admit(hop, clearResult, firstResult.tls, options)
    : tlsNotMet(options.enforced, firstResult.tls)
}

async function admit(
  { host }: Endpoint,
  { connection, extensions }: Extract<EstablishResult, { kind: 'Established' }>,
  observedTls: ServerTls,
  options: SessionOptions,
): Promise<SessionOpening> {
  const assessment = await assessSession(connection.session, observedTls, options)
  if (assessment.kind === 'Met') {
    const { clearance, tls, reportOnlyFault } = assessment
    const usesChunking = extensions.has('CHUNKING') && !(await options.avoidsChunking?.(host))
    const session = new SmtpSession(connection, clearance, { ...options, extensions, usesChunking })
    return { kind: 'Admitted', session, tls, reportOnlyFault }
  }
  connection.quit()
  return assessment.kind === 'Failed' ? assessment : { ...assessment, kind: 'TlsNotMet' }
}

function tlsNotMet(enforced: HopRequirement, tls: ServerTls): SessionOpening {
  const fallback: TlsFault = {
    reply: reply(451, '4.7.5', 'TLS could not be established'),
    result: 'validation-failure',
  }
  return { kind: 'TlsNotMet', fault: assessServerTls(enforced, tls, new Date()) ?? fallback, tls }
}

interface AdmittedOptions extends Pick<SessionOptions, 'signal'> {
  extensions: Extensions
  /** Whether content is sent by BDAT. */
  usesChunking: boolean
}

/** A session whose TLS meets the requirement of its messages. */
class SmtpSession {
  readonly #connection: SmtpConnection
  readonly #clearance: TlsClearance
  readonly #options: AdmittedOptions
  readonly #limits: SessionLimits
  #transactions = 0
  /** False while a transaction is open: a 2yz reply to the content, or to RSET, ends it. */
  #isReset = true

  constructor(connection: SmtpConnection, clearance: TlsClearance, options: AdmittedOptions) {
    this.#connection = connection
    this.#clearance = clearance
    this.#options = options
    this.#limits = sessionLimits(options.extensions)
  }

  /** @returns why the server cannot accept this message, or null */
  findRefusal(mail: MessageTraits): Reply | null {
    return checkExtensions(mail, this.#options.extensions)
  }

  /** Whether the server supports DSN (RFC 3461). Then it notifies the sender itself. */
  get supportsDsn(): boolean {
    return this.#options.extensions.has('DSN')
  }

  /**
   * Sends a message. The previous call must have returned. A server with a limit of recipients (RFC 9422) gets the
   * message in several transactions.
   * @param budget limits the time of the transaction
   */
  async send(
    mail: MessageTraits,
    recipients: readonly Recipient[],
    content: Buffer,
    budget?: AttemptBudget,
  ): Promise<Transaction> {
    const taken = takeRecipients(recipients, this.#limits)
    const result = await this.#transact(mail, taken, content, budget)
    if (taken.length === recipients.length) return result
    const others = recipients.filter((recipient) => !taken.includes(recipient))
    if (result.isNotBegun || !(await this.prepareForNext())) return withRest(result, others)
    const rest = await this.send(mail, others, content, budget)
    // The message must not be sent again by DATA to the recipients that have it.
    return rest.chunkingFault === 'Refused' ? withRest(result, others) : merge(result, rest)
  }

  #transact(
    mail: MessageTraits,
    recipients: readonly Recipient[],
    content: Buffer,
    budget: AttemptBudget | undefined,
  ): Promise<Transaction> {
    const { session } = this.#connection
    const options = {
      ...this.#options,
      // Some servers close a session after its first message without notice. If the content shared a flight with MAIL
      // then, the client could not know whether the server accepted the message.
      mayShareFlight: this.#transactions !== 1,
      isTimedOut: () => this.#options.signal.aborted || (budget?.signal.aborted ?? false),
      onContentSent: () => budget?.messageSent(),
    }
    this.#transactions++
    this.#isReset = false
    return this.#connection.endOnAbort(
      budget?.signal,
      () =>
        new Promise((resolve) => {
          new MailTransaction(session, this.#clearance, { mail, recipients, content }, options, (result) => {
            this.#isReset = hasAcceptance(result)
            resolve(result)
          })
        }),
    )
  }

  /** Asks whether the server accepts the recipient, without a message. The session must then be closed. */
  queryRecipient(mail: MessageTraits, recipient: Recipient): Promise<RecipientQueryResult> {
    const { extensions } = this.#options
    const commands = {
      mail: formatMailCommand(mail, extensions),
      recipient: formatRecipientCommand(recipient, extensions),
    }
    this.#transactions++
    this.#isReset = false
    return new Promise((resolve) => {
      new RecipientQuery(this.#connection.session, this.#clearance, commands, resolve)
    })
  }

  /** Whether another transaction may begin: the connection is open, and no data from the server is unread. */
  get isIdle(): boolean {
    return this.#connection.session.isIdle && this.#transactions < this.#limits.transactions
  }

  /** Resets an unfinished transaction with RSET (RFC 5321 §4.1.1.5). @returns whether another transaction may begin */
  async prepareForNext(): Promise<boolean> {
    if (!this.isIdle) return false
    if (!this.#isReset) this.#isReset = await this.#reset()
    return this.#isReset && this.isIdle
  }

  #reset(): Promise<boolean> {
    const { session } = this.#connection
    return new Promise((resolve) => {
      let isReset = false
      session.begin({
        reply: ({ code }) => {
          isReset = code >= 200 && code < 300
        },
        step: () => {
          session.finish()
          resolve(isReset)
        },
        fault: () => resolve(false),
      })
      session.write(this.#clearance, 'RSET\r\n', 1)
      session.startWait('ShortReply')
    })
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

/** The recipients that the session cannot serve any more wait for the next attempt. */
function withRest(result: Transaction, others: readonly Recipient[]): Transaction {
  const rest = reply(451, '4.5.3', 'Next hop takes fewer recipients in one session')
  return {
    ...result,
    replies: new Map([...result.replies, ...others.map(({ address }) => [address, rest] as const)]),
  }
}

function merge(first: Transaction, second: Transaction): Transaction {
  return {
    replies: new Map([...first.replies, ...second.replies]),
    isNotBegun: false,
    unanswered: [...first.unanswered, ...second.unanswered],
    chunkingFault: second.chunkingFault,
  }
}

const hasAcceptance = ({ replies }: Transaction): boolean =>
  [...replies.values()].some(({ code }) => code < 300)
