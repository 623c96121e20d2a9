import { createHash } from 'node:crypto'

/** The same for equal values; 20 hexadecimal digits. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 20)
