import { randomFillSync } from 'node:crypto'
import { ulid } from 'ulid'

/** Random octets are generated in blocks of 4 KiB, because one call per id takes measurable time under load. */
const pool = Buffer.alloc(4096)
let usedOctets = pool.length

function nextRandom(): number {
  if (usedOctets === pool.length) {
    randomFillSync(pool)
    usedOctets = 0
  }
  return (pool[usedOctets++] as number) / 256
}

/** Returns a ULID. It is fast enough for every message. */
export const newUlid = (): string => ulid(undefined, nextRandom)
