/** What really happened to mail: from the replies, the log of the ingress, and the trace. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { TraceEntry } from '../../../shared/messages/trace-entry.ts'
import { requiredClientLevel } from '../../../shared/policy/required-client-level.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { messageIdIn, waitForResult } from '../../support/local/runner.ts'
import { namesIn } from './connectors.ts'
import { numberIn } from './planned-mail.ts'
import type { Sent } from './sender.ts'
import type { Stack } from './stack.ts'

/** One recipient of one mail. */
export interface Observed {
  number: number
  /** As the client wrote it. */
  recipient: string
  outcome: string
  reason: string
  /** Name. */
  connector: string | null
  level: string | null
  tlsResult: string | null
  /** The id of the message; null if it was refused. */
  messageId: string | null
  isAttempted?: boolean
}

export const keyOf = ({ number, recipient }: Pick<Observed, 'number' | 'recipient'>): string =>
  `${number} ${recipient}`

interface LogLine {
  message?: string
  reason?: string
  mailFrom?: string | null
  recipient?: string
  connector?: string | null
}

const flushMs = 1500

/** Reads each line of the log of the ingress once. */
export class RefusalLog {
  readonly #stack: Stack
  #read = 0

  constructor(stack: Stack) {
    this.#stack = stack
  }

  /** Waits until the lines of all earlier refusals are written. */
  async take(): Promise<LogLine[]> {
    await delay(flushMs)
    const { logs } = this.#stack.runner.endpoints
    const file = readdirSync(logs).find((name) => /ingress/i.test(name)) ?? ''
    const lines = readFileSync(join(logs, file), 'utf8').split('\n')
    const fresh = lines.slice(this.#read, -1)
    this.#read = lines.length - 1
    return fresh.flatMap((line) => {
      if (!line.includes('"refused"')) return []
      const parsed = JSON.parse(line) as LogLine
      return parsed.message === 'refused' ? [parsed] : []
    })
  }
}

/** @param refusals of this round @param snapshot of this round */
export async function observe(
  stack: Stack,
  sent: readonly Sent[],
  refusals: readonly LogLine[],
  snapshot: Snapshot,
): Promise<Observed[]> {
  const names = namesIn(snapshot)
  const connectorOf: ConnectorOf = (id) => {
    const rule = snapshot.all.inbound.get(id ?? '')
    return {
      connector: id ? (names.get(id) ?? id) : null,
      requiredLevel: rule ? requiredClientLevel(rule.connector) : null,
    }
  }
  const observed: Observed[] = []
  const pending = [...sent]
  const next = async (): Promise<void> => {
    for (let each = pending.pop(); each !== undefined; each = pending.pop())
      observed.push(...(await observeMail(stack, each, refusals, connectorOf)))
  }
  await Promise.all(Array.from({ length: 8 }, next))
  return observed
}

/** The connector's name, and what it requires of the client. */
type ConnectorOf = (id: string | null | undefined) => {
  connector: string | null
  requiredLevel: string | null
}

async function observeMail(
  stack: Stack,
  { mail, rcpt, final }: Sent,
  refusals: readonly LogLine[],
  connectorOf: ConnectorOf,
): Promise<Observed[]> {
  const refused = (recipient: string): Observed => {
    const isOfRecipient = (line: LogLine) => line.recipient === recipient || line.recipient === undefined
    const ofMail = refusals.filter(
      (line) => numberIn(line.mailFrom ?? undefined, line.recipient) === mail.number,
    )
    const line = ofMail.find(isOfRecipient) ?? ofMail[0]
    const { reason = 'Unknown', connector = null } = line ?? {}
    const { requiredLevel: level, connector: name } = connectorOf(connector)
    const common = { number: mail.number, recipient, reason, connector: name, level }
    return { ...common, outcome: 'Refused', tlsResult: null, messageId: null }
  }
  if (final === null || !final.startsWith('250')) return mail.recipients.map(refused)
  const messageId = messageIdIn(final)
  const { recipients } = await settled(stack, messageId)
  return mail.recipients.map((recipient) => {
    if (!rcpt.get(recipient)?.startsWith('250')) return refused(recipient)
    const entry = recipients.find(({ address }) => address === recipient) ?? recipients[0]
    if (entry === undefined) throw new Error(`no trace of ${recipient}`)
    return { number: mail.number, recipient, messageId, ...resultOf(entry, connectorOf) }
  })
}

type Entry = TraceEntry['recipients'][number]

/** The trace has all recipients of a message with the first of them. */
const settled = (stack: Stack, id: string): Promise<TraceEntry> =>
  waitForResult(
    async () => {
      const trace = await stack.api.call<TraceEntry>('GET', `/messages/${id}`).catch(() => null)
      const isSettled = trace?.recipients.every(
        ({ state, verdict }) => state !== 'Pending' && verdict !== null,
      )
      return trace && trace.recipients.length > 0 && isSettled ? trace : null
    },
    250,
    240_000,
  )

function resultOf({ state, verdict, attempts }: Entry, connectorOf: ConnectorOf) {
  const attempt = attempts.at(-1)
  const reason = verdict?.reason ?? ''
  const isInbound = reason.startsWith('Inbound')
  const outcome = state === 'Deferred' && attempt === undefined ? 'Held' : state
  const tlsResult = attempt?.outcome === 'TlsNotMet' ? attempt.tlsResult : null
  const { inbound, outbound } = verdict?.connectors ?? {}
  const { connector, requiredLevel } = connectorOf(isInbound ? inbound : attempt ? outbound : null)
  return {
    ...{ outcome, reason, connector, tlsResult },
    level: attempt?.policy ?? requiredLevel,
    isAttempted: attempt !== undefined,
  }
}
