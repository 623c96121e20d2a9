import { createHash } from 'node:crypto'

/** A digest of 20 hexadecimal digits, the same for equal values. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 20)
