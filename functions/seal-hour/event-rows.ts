/**
 * The events of a shard in memory: their lines as octets, and the columns by which they are sorted. The events as objects
 * would need three times the memory. Pure.
 */
import { hourOf } from '../../shared/events/hours.ts'

/** Columns that the seal reads before it writes; the others are read from the line, a row group at a time. */
export interface RowKey {
  id: string
  /** Milliseconds since the epoch. */
  at: number
  partner: string
}

const chunkOctets = 4 * 1024 * 1024

export class EventRows {
  readonly #chunks: Buffer[] = []
  #chunkEnd = chunkOctets
  readonly #positions: number[] = []
  readonly #lengths: number[] = []
  readonly #ids: string[] = []
  readonly #times: number[] = []
  /** One string for each partner. */
  readonly #partners: string[] = []
  readonly #partnerTexts = new Map<string, string>()

  get length(): number {
    return this.#ids.length
  }

  add(line: Buffer, { id, at, partner }: RowKey): void {
    if (this.#chunkEnd + line.length > chunkOctets) {
      this.#chunks.push(Buffer.allocUnsafe(Math.max(chunkOctets, line.length)))
      this.#chunkEnd = 0
    }
    const chunk = this.#chunks.length - 1
    line.copy(this.#chunks[chunk] as Buffer, this.#chunkEnd)
    this.#positions.push(chunk * chunkOctets + this.#chunkEnd)
    this.#lengths.push(line.length)
    this.#chunkEnd += line.length
    this.#ids.push(id)
    this.#times.push(at)
    const known = this.#partnerTexts.get(partner)
    if (known === undefined) this.#partnerTexts.set(partner, partner)
    this.#partners.push(known ?? partner)
  }

  id(row: number): string {
    return this.#ids[row] as string
  }

  event(row: number): Record<string, unknown> {
    const position = this.#positions[row] as number
    const start = position % chunkOctets
    const chunk = this.#chunks[(position - start) / chunkOctets] as Buffer
    return JSON.parse(chunk.toString('utf8', start, start + (this.#lengths[row] as number)))
  }

  /** Returns the rows by the hour at which the events happened, the earliest hour first. */
  byHour(): [hour: string, rows: number[]][] {
    const rows = Array.from({ length: this.length }, (_, row) => row)
    const byHour = Map.groupBy(rows, (row) => hourOf(this.#times[row] as number))
    return [...byHour].sort(([a], [b]) => compareTexts(a, b))
  }

  /** Sorts rows by partner, then time, then id, so that readers of one partner read few row groups. */
  sort(rows: number[]): number[] {
    return rows.sort(
      (a, b) =>
        compareTexts(this.#partners[a] as string, this.#partners[b] as string) ||
        (this.#times[a] as number) - (this.#times[b] as number) ||
        compareTexts(this.id(a), this.id(b)),
    )
  }
}

const compareTexts = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
