import { randomFillSync } from 'node:crypto'
import { ulid } from 'ulid'

/** Random octets are drawn 4 KiB at a time: separate calls for each id are measurable under load. */
const pool = Buffer.alloc(4096)
let usedOctets = pool.length

function nextRandom(): number {
  if (usedOctets === pool.length) {
    randomFillSync(pool)
    usedOctets = 0
  }
  return (pool[usedOctets++] as number) / 256
}

/** Returns a ULID at low cost, for use with every message. */
export const newUlid = (): string => ulid(undefined, nextRandom)
