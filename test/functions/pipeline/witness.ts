/** What is visible from outside: to next hops, to the sender, and in the queues at the end. */
import type { DsnKind } from '../../../shared/contract/jobs.ts'
import { type Command, operation } from '../../support/pipeline/table.ts'

export interface Transmission {
  order: number
  message: string
  address: string
  attempt: number
  /** Whether the next hop accepted it. */
  delivered: boolean
  /** Whether the next hop got the NOTIFY parameters. */
  dsnPassedOn: boolean
  /** Whether connectors had changed since the decision when its worker began. */
  stale: boolean
  worker: string
  /** Whether its worker lived to write the result. */
  written: boolean
}

/** One recipient in a DSN, at the moment the DSN was sent. */
export interface Notification {
  order: number
  dsn: string
  kind: DsnKind
  address: string
  /** Number of the bounce job. */
  job: number
  /** When any worker completed its claim; null when its worker died before. */
  written: number | null
}

type PutItem = { pk: string; sk: string; result?: unknown }

export class Witness {
  readonly transmissions: Transmission[] = []
  readonly notifications: Notification[] = []
  readonly evaluations: string[] = []
  readonly mismatches: string[] = []
  /** Jobs by which an administrator requested an attempt. */
  retries = 0
  /** Jobs by which a delivery was returned to be decided again. */
  handedBack = 0
  /** Attempts with the workers that claimed them. */
  readonly claims: { message: string; address: string; attempt: number; worker: string }[] = []
  #order = 0

  recordTransmission(transmission: Omit<Transmission, 'order' | 'written'>): void {
    this.transmissions.push({ ...transmission, order: ++this.#order, written: false })
  }

  /** @param octets the DSN's content, which names its recipients */
  recordNotification(dsn: string, octets: Buffer, job: number): void {
    const text = octets.toString()
    const kind = /^Action: (failed|delayed|relayed|delivered)/m.exec(text)?.[1] as Notification['kind']
    for (const [, address = ''] of text.matchAll(/^Final-Recipient: rfc822; (\S+)/gm))
      this.notifications.push({ order: ++this.#order, dsn, kind, address, job, written: null })
  }

  /** Looks for writes that complete a claim, after they have taken effect. */
  recordWrite(command: Command, worker: string): void {
    const { input } = command
    if (operation(command) === 'PutCommand') this.#claimed(input.Item as PutItem, worker)
    if (operation(command) !== 'UpdateCommand') return
    const { pk, sk } = input.Key as { pk: string; sk: string }
    const [what, ...rest] = sk.split('#')
    if (what === 'attempt') this.#resultWritten(pk, rest as [string, string], worker)
    const result = input.ExpressionAttributeValues?.[':result'] as { dsn: string }
    if (what === 'dsn') this.#dsnWritten(result.dsn, rest as [string, string])
  }

  #claimed({ pk, sk, result }: PutItem, worker: string): void {
    const [what, address = '', attempt] = sk.split('#')
    // An item put with a result is a cancellation: no worker has begun the attempt.
    if (what === 'attempt' && result === undefined)
      this.claims.push({ message: pk, address, attempt: Number(attempt), worker })
  }

  #resultWritten(message: string, [address, attempt]: [string, string], worker: string): void {
    for (const made of this.transmissions)
      if (made.message === message && made.address === address && made.attempt === Number(attempt))
        made.written ||= made.worker === worker
  }

  #dsnWritten(dsn: string, [kind, address]: [string, string]): void {
    const order = ++this.#order
    for (const results of this.notifications)
      if (results.dsn === dsn && results.kind === kind && results.address === address)
        results.written ??= order
  }
}
