/**
 * The size of an item as DynamoDB counts it: the UTF-8 octets of attribute names and values
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
 */
export const itemOctets = (item: Record<string, unknown>): number =>
  Object.entries(item).reduce(
    (sum, [name, value]) => (value === undefined ? sum : sum + Buffer.byteLength(name) + valueOctets(value)),
    0,
  )

function valueOctets(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value === 'number') return numberOctets(value)
  if (typeof value === 'boolean' || value === null) return 1
  if (value instanceof Uint8Array) return value.length
  // A list or map has 3 octets, and 1 for each element.
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + 1 + valueOctets(each), 3)
  if (typeof value === 'object')
    return 3 + Object.keys(value).length + itemOctets(value as Record<string, unknown>)
  throw new Error(`an item cannot have the value ${String(value)}`)
}

/** About 1 octet for each two significant digits, and 1 more. Zeros at the beginning and end are not significant. */
function numberOctets(value: number): number {
  const digits = String(Math.abs(value))
    .replace('.', '')
    .replace(/^0+|0+$/g, '')
  return Math.ceil(digits.length / 2) + 1 + (value < 0 ? 1 : 0)
}
