/**
 * Asks a server whether it accepts a recipient: MAIL with the null reverse path, then RCPT, and no message. A clearance is
 * needed, because the address is confidential. Without sockets and clocks.
 */
import type { SmtpFault } from '../smtp-faults.ts'
import type { ClientSession, ReplyHandler } from './client-session.ts'
import { isPositiveReply, type ServerReply } from './reply-reader.ts'
import type { TlsClearance } from './tls-clearance.ts'

export type RecipientQueryResult =
  /** The reply to RCPT. */
  | { kind: 'Answered'; reply: ServerReply }
  /** The reply to MAIL. */
  | { kind: 'SenderRefused'; reply: ServerReply }
  | { kind: 'Failed'; fault: SmtpFault }

export interface QueryCommands {
  mail: string
  recipient: string
}

export class RecipientQuery implements ReplyHandler {
  readonly #session: ClientSession
  readonly #clearance: TlsClearance
  readonly #commands: QueryCommands
  readonly #onResult: (result: RecipientQueryResult) => void
  #mailReply: ServerReply | null = null
  #recipientReply: ServerReply | null = null

  /** Begins the query. */
  constructor(
    session: ClientSession,
    clearance: TlsClearance,
    commands: QueryCommands,
    onResult: (result: RecipientQueryResult) => void,
  ) {
    this.#session = session
    this.#clearance = clearance
    this.#commands = commands
    this.#onResult = onResult
    session.restartLimits()
    session.begin(this)
    this.#write(commands.mail)
  }

  reply(reply: ServerReply): void {
    if (this.#mailReply === null) this.#mailReply = reply
    else this.#recipientReply = reply
  }

  step(): void {
    if (this.#mailReply === null) return
    if (!isPositiveReply(this.#mailReply)) this.#finish({ kind: 'SenderRefused', reply: this.#mailReply })
    else if (this.#recipientReply !== null) this.#finish({ kind: 'Answered', reply: this.#recipientReply })
    else this.#write(this.#commands.recipient)
  }

  fault(fault: SmtpFault): void {
    this.#onResult({ kind: 'Failed', fault })
  }

  #write(command: string): void {
    this.#session.write(this.#clearance, `${command}\r\n`, 1)
    this.#session.startWait('Reply')
  }

  #finish(result: RecipientQueryResult): void {
    this.#session.finish()
    this.#onResult(result)
  }
}
