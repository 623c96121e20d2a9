/** Counts what happens to each message, and checks it when no job of the message is left. */
import { isRefusedForever } from './mail.ts'

/** A message: mail of the load, or a DSN. */
interface Account {
  /** Number of the mail; null for a DSN. */
  mail: number | null
  /** Whether the sender got 250. Null until it gets a reply. */
  isAccepted: boolean | null
  /** Jobs on all queues. */
  jobs: number
  copies: number
  failureDsns: number
}

export interface Counts {
  accepted: number
  delivered: number
  returned: number
  deadLetters: number
  /** Copies beyond the first of one message. */
  repeated: number
  /** Copies of messages that were stored although the sender got 451; the sender sends them again. */
  storedDespite451: number
  delayDsns: number
  dsnsDelivered: number
}

export class Ledger {
  readonly counts: Counts = {
    accepted: 0,
    delivered: 0,
    returned: 0,
    deadLetters: 0,
    repeated: 0,
    storedDespite451: 0,
    delayDsns: 0,
    dsnsDelivered: 0,
  }
  readonly violations: string[] = []
  readonly #accounts = new Map<string, Account>()
  readonly #stateOf: (message: string) => string | undefined
  readonly #onSettled: (message: string, mail: number) => void

  /**
   * @param stateOf returns the state of a message's recipient in the trace
   * @param onSettled called when no job of a mail's message is left
   */
  constructor(
    stateOf: (message: string) => string | undefined,
    onSettled: (message: string, mail: number) => void,
  ) {
    this.#stateOf = stateOf
    this.#onSettled = onSettled
  }

  /** A client has sent a message, and waits for the reply. */
  begin(message: string, mail: number): void {
    this.#accounts.set(message, { mail, isAccepted: null, jobs: 0, copies: 0, failureDsns: 0 })
  }

  reply(message: string, isAccepted: boolean): void {
    const account = this.#accountOf(message)
    account.isAccepted = isAccepted
    if (isAccepted) this.counts.accepted++
    this.#settle(message, account)
  }

  jobSent(message: string): void {
    this.#accountOf(message).jobs++
  }

  jobDeleted(message: string): void {
    const account = this.#accountOf(message)
    account.jobs--
    this.#settle(message, account)
  }

  deadLetter(message: string): void {
    this.counts.deadLetters++
    this.violations.push(`a job of ${message} is a dead letter`)
  }

  delivered(message: string): void {
    this.#accountOf(message).copies++
  }

  /** A DSN is sent as a message. Sent again, it has the same id. */
  dsnSent(dsn: string, reported: string, kind: 'failed' | 'delayed' | 'relayed'): void {
    if (!this.#accounts.has(dsn)) {
      this.#accounts.set(dsn, { mail: null, isAccepted: true, jobs: 0, copies: 0, failureDsns: 0 })
      if (kind === 'delayed') this.counts.delayDsns++
    }
    if (kind === 'failed') this.#accountOf(reported).failureDsns++
  }

  /** Checks the DSNs, which may be sent again until the end, and that nothing else is left. */
  close(): void {
    for (const [message, account] of this.#accounts)
      if (account.mail === null && account.jobs === 0) this.#conclude(message, account)
      else this.violations.push(`${message} is not settled`)
  }

  #accountOf(message: string): Account {
    const account = this.#accounts.get(message)
    if (account !== undefined) return account
    const violation = `${message} has a job after its last job`
    this.violations.push(violation)
    throw new Error(violation)
  }

  #settle(message: string, account: Account): void {
    const { jobs, isAccepted, mail } = account
    if (jobs > 0 || isAccepted === null || mail === null) return
    this.#accounts.delete(message)
    this.#conclude(message, account)
    this.#onSettled(message, mail)
  }

  #conclude(message: string, account: Account): void {
    this.#count(account)
    // A message that was refused before its job was stored has no trace.
    const state = this.#stateOf(message)
    const fault = state === undefined && !account.isAccepted ? null : faultOf(account, state)
    if (fault !== null) this.violations.push(`${message}: ${fault}`)
  }

  #count({ mail, isAccepted, copies, failureDsns }: Account): void {
    const { counts } = this
    if (copies > 0) counts.repeated += copies - 1
    if (mail === null) counts.dsnsDelivered += Math.min(1, copies)
    else if (!isAccepted) counts.storedDespite451 += Math.min(1, copies)
    else if (copies > 0) counts.delivered++
    else if (failureDsns > 0) counts.returned++
  }
}

/** @returns null for a message that ended as it would have without an outage */
function faultOf({ mail, copies, failureDsns }: Account, state: string | undefined): string | null {
  const isReturned = mail !== null && isRefusedForever(mail)
  if (isReturned !== (state === 'Bounced')) return `its state is ${state}`
  if (isReturned === copies > 0) return `it was delivered ${copies} times`
  if (isReturned !== failureDsns > 0) return `${failureDsns} failure DSNs were sent`
  return null
}
