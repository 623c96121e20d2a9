/**
 * A table in memory that counts write units as DynamoDB bills them: for each write 1 for each KB of the larger of the
 * item before and after, and for each index 1 when an entry is added, removed or changed, or 2 when its key changes
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes).
 */
import { setImmediate } from 'node:timers/promises'
import { byTimeAttributes, byWaitingAttributes } from '../../shared/contract/messages-index.ts'
import { itemOctets } from './item-octets.ts'
import { type Command, type Item, MemoryTable, operation } from './pipeline/table.ts'

interface Index {
  keys: readonly string[]
  attributes: readonly string[]
}

const indexes: readonly Index[] = [
  { keys: ['bucket', 'order'], attributes: byTimeAttributes },
  { keys: ['waiting', 'order'], attributes: byWaitingAttributes },
]

export interface CountedWrite {
  sk: string
  /** Whether the item is a value of a content-addressed store, which many messages share. */
  isShared: boolean
  units: number
  /** Of all indexes. */
  indexUnits: number
  /** Octets of the item after the write. */
  octets: number
  /** Octets of the largest index entry. */
  indexOctets: number
}

export class CountingTable {
  readonly writes: CountedWrite[] = []
  readonly #table = new MemoryTable()

  async send(command: Command): Promise<unknown> {
    await setImmediate()
    const key = operation(command) === 'PutCommand' ? command.input.Item : command.input.Key
    const isWrite = operation(command) === 'PutCommand' || operation(command) === 'UpdateCommand'
    const before = isWrite ? this.#table.item(key) : undefined
    try {
      return this.#table.send(command)
    } finally {
      // A write whose condition fails is billed too.
      if (isWrite) this.#count(before, this.#table.item(key) ?? {})
    }
  }

  #count(before: Item | undefined, after: Item): void {
    const entries = indexes.map((index) => indexEntry(after, index))
    this.writes.push({
      sk: String(after.sk),
      isShared: String(after.pk) === `${after.sk}#${String(after.pk).split('#')[1]}`,
      units: Math.max(1, kilobytes(before), kilobytes(after)),
      indexUnits: indexes.reduce((sum, index) => sum + indexUnits(before, after, index), 0),
      octets: itemOctets(after),
      indexOctets: Math.max(...entries.map((entry) => (entry === null ? 0 : itemOctets(entry)))),
    })
  }
}

const kilobytes = (item: Item | null | undefined): number => (item ? Math.ceil(itemOctets(item) / 1024) : 0)

function indexEntry(item: Item | undefined, { keys, attributes }: Index): Item | null {
  if (item === undefined || keys.some((name) => item[name] === undefined)) return null
  const names = ['pk', 'sk', ...keys, ...attributes].filter((name) => item[name] !== undefined)
  return Object.fromEntries(names.map((name) => [name, item[name]]))
}

function indexUnits(itemBefore: Item | undefined, itemAfter: Item, index: Index): number {
  const [before, after] = [indexEntry(itemBefore, index), indexEntry(itemAfter, index)]
  if (JSON.stringify(before) === JSON.stringify(after)) return 0
  const isMoved = before !== null && after !== null && index.keys.some((name) => before[name] !== after[name])
  return isMoved ? kilobytes(before) + kilobytes(after) : Math.max(kilobytes(before), kilobytes(after))
}
