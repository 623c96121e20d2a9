/** Counts events by the columns of the rollups. Pure. */
import { eventSchemaVersion, type MailEvent } from '../contract/events.ts'
import { clientNetwork } from '../limits/client-network.ts'
import { dimensions, type Rollup, type RollupRow, rejectedOnly } from './rollup-row.ts'

/** Message ids in a row. */
const maxSamples = 3

/**
 * Rows of Rejected events with the columns that clients choose. An attacker could otherwise make a rollup as large as the
 * events. The rows with the smallest counts lose these columns, and nothing of their counts.
 */
const maxRejectedRows = 5000

type Counts = Pick<RollupRow, 'events' | 'count' | 'octets' | 'recipients' | 'first' | 'last' | 'samples'>

type Dimensions = Partial<Record<(typeof dimensions)[number], string | boolean | undefined>>

export class RollupBuilder {
  readonly #rows = new Map<string, RollupRow>()

  /** @param event in the order of time within each row; columns of another type than their own are ignored */
  add(event: Record<string, unknown>): void {
    const { kind, at } = event as Pick<MailEvent, 'kind' | 'at'>
    const values = dimensionsOf(event)
    const key = keyOf(values)
    const time = new Date(at).toISOString()
    const row = this.#rows.get(key)
    const counts: Counts = {
      events: 1,
      count: natural(event.count, 1),
      octets: natural(event.size, 0),
      recipients: natural(event.recipients, 0),
      first: time,
      last: time,
      samples: [String(event.messageId ?? event.id)],
    }
    if (row === undefined) this.#rows.set(key, { kind, ...values, ...counts } as RollupRow)
    else addCounts(row, counts)
  }

  /** @param hour the hour at which the events happened @param seal the sealed hour */
  build(hour: string, seal: string): Rollup {
    const rows = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
    return { schemaVersion: eventSchemaVersion, hour, seal, rows: limitRejected(rows, addCounts) }
  }
}

function dimensionsOf(event: Record<string, unknown>): Dimensions {
  const isRejected = event.kind === 'Rejected'
  const all: Record<string, unknown> = {
    ...event,
    ...(event.kind === 'Accepted' && { fromClient: typeof event.clientIp === 'string' }),
    replyCode: typeof event.reply === 'string' ? replyCodeOf(event.reply) : undefined,
    ...(typeof event.clientIp === 'string' && { clientNetwork: clientNetwork(event.clientIp) }),
  }
  const values: Dimensions = {}
  for (const name of dimensions) {
    const value = all[name]
    if (rejectedOnly.has(name) && !isRejected) continue
    if (typeof value === 'string' || typeof value === 'boolean') values[name] = value
  }
  return values
}

/** The code, and the enhanced status code if there is one (RFC 3463). */
export const replyCodeOf = (reply: string): string | undefined =>
  /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3}(?!\S))?/.exec(reply)?.[0].replace('-', ' ')

/** The values of a row's dimensions as one text. */
export const keyOf = (values: Dimensions): string =>
  JSON.stringify(dimensions.map((name) => values[name] ?? null))

const natural = (value: unknown, otherwise: number): number =>
  Number.isSafeInteger(value) && (value as number) >= otherwise ? (value as number) : otherwise

/** Adds the counts of another row with the same dimensions. */
export function addCounts(row: RollupRow, other: Counts): void {
  row.events += other.events
  row.count += other.count
  row.octets += other.octets
  row.recipients += other.recipients
  if (other.first < row.first) row.first = other.first
  if (other.last > row.last) row.last = other.last
  for (const sample of other.samples)
    if (row.samples.length < maxSamples && !row.samples.includes(sample)) row.samples.push(sample)
}

/**
 * Drops the columns that clients choose from the rows of Rejected events with the smallest counts, and adds these rows
 * together.
 * @param add adds the second row to the first
 */
export function limitRejected<Row extends RollupRow>(
  rows: readonly Row[],
  add: (row: Row, other: Row) => void,
): Row[] {
  const rejected = rows.filter(({ kind }) => kind === 'Rejected')
  if (rejected.length <= maxRejectedRows) return [...rows]
  // The sort is stable, so the result depends on nothing but the rows.
  const smallest = new Set(rejected.toSorted((a, b) => b.count - a.count).slice(maxRejectedRows))
  const merged = new Map<string, Row>()
  for (const row of smallest) {
    const common = Object.fromEntries(Object.entries(row).filter(([name]) => !rejectedOnly.has(name))) as Row
    const key = keyOf(common)
    const known = merged.get(key)
    if (known === undefined) merged.set(key, structuredClone(common))
    else add(known, row)
  }
  return [...rows.filter((row) => !smallest.has(row)), ...merged.values()]
}
