import { randomFillSync } from 'node:crypto'
import { ulid } from 'ulid'

/** Random octets are drawn 4 KiB at a time: sixteen calls for one octet each, or one for sixteen, are felt under load. */
const pool = Buffer.alloc(4096)
let used = pool.length

function random(): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return (pool[used++] as number) / 256
}

/** A ULID that costs little, for what is made with every message. */
export const newUlid = (): string => ulid(undefined, random)
