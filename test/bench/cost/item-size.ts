/**
 * The size of DynamoDB items, and the request units of reads and writes.
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html,
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)
 */

/** A value in DynamoDB's JSON, such as `{S: 'text'}`. */
export type AttributeValue = Readonly<Record<string, unknown>>
export type Item = Readonly<Record<string, AttributeValue>>

/** A list or a map has three octets more than its elements, and one for each element. */
const containerOctets = 3

/** @returns octets of names and values */
export const itemOctets = (item: Item): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueOctets(value), 0)

function valueOctets(value: AttributeValue): number {
  const [[type, content] = ['NULL', true]] = Object.entries(value)
  switch (type) {
    case 'S':
      return Buffer.byteLength(String(content))
    case 'B':
      return Buffer.byteLength(String(content), 'base64')
    case 'N':
      return numberOctets(String(content))
    case 'SS':
      return sum(content, (text) => Buffer.byteLength(String(text)))
    case 'NS':
      return sum(content, (text) => numberOctets(String(text)))
    case 'BS':
      return sum(content, (text) => Buffer.byteLength(String(text), 'base64'))
    case 'L':
      return containerOctets + sum(content, (element) => 1 + valueOctets(element as AttributeValue))
    case 'M':
      return containerOctets + itemOctets(content as Item) + Object.keys(content as Item).length
    default:
      return 1
  }
}

/** An octet for two significant digits, one more, and one for a minus sign. */
function numberOctets(text: string): number {
  const digits = text.replace(/[-.]/g, '').replace(/^0+|0+$/g, '')
  return Math.ceil(digits.length / 2) + 1 + (text.startsWith('-') ? 1 : 0)
}

const sum = (list: unknown, octetsOf: (element: unknown) => number): number =>
  (list as unknown[]).reduce<number>((total, element) => total + octetsOf(element), 0)

/** Write units of an item: one for each KiB that begins. A transaction needs twice as many. */
export const writeUnits = (octets: number, isTransaction = false): number =>
  Math.max(1, Math.ceil(octets / 1024)) * (isTransaction ? 2 : 1)

/** How a read is billed. */
export type Consistency = 'Eventual' | 'Strong' | 'Transaction'

const unitsPerBlock = { Eventual: 0.5, Strong: 1, Transaction: 2 }

/** Read units of an item, or of all items of one query: one for each 4 KiB that begins, half for an eventual read. */
export const readUnits = (octets: number, consistency: Consistency): number =>
  Math.max(1, Math.ceil(octets / 4096)) * unitsPerBlock[consistency]

/** A secondary index as in the template. */
export interface IndexDefinition {
  readonly name: string
  readonly keys: readonly string[]
  /** Projected attributes besides the keys; null for all. */
  readonly projected: readonly string[] | null
}

/** Keys of the tables of this project. */
const tableKeys = ['pk', 'sk']

/** Returns the entry of an item in an index; null when the item has not all keys of the index. */
export function indexEntry(index: IndexDefinition, item: Item | null): Item | null {
  if (item === null || index.keys.some((key) => item[key] === undefined)) return null
  if (index.projected === null) return item
  const names = new Set([...tableKeys, ...index.keys, ...index.projected])
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)))
}

/**
 * Write units of an index when an item changes: none when its entry stays the same, two writes when its key changes.
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html, "Write capacity units")
 */
export function indexWriteUnits(index: IndexDefinition, before: Item | null, after: Item | null): number {
  const [from, to] = [indexEntry(index, before), indexEntry(index, after)]
  if (from === null) return to === null ? 0 : writeUnits(itemOctets(to))
  if (to === null) return writeUnits(itemOctets(from))
  if (isSame(from, to)) return 0
  const hasSameKey = index.keys.every((key) => isSame(from[key], to[key]))
  if (hasSameKey) return writeUnits(Math.max(itemOctets(from), itemOctets(to)))
  return writeUnits(itemOctets(from)) + writeUnits(itemOctets(to))
}

/** The order of attributes does not matter. */
const isSame = (one: object | undefined, other: object | undefined): boolean =>
  JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, content]) => [name, sorted(content)]),
  )
}
