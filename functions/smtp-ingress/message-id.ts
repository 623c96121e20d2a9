import { randomFillSync } from 'node:crypto'
import { ulid } from 'ulid'

/** Random octets are drawn 4 KiB at a time: sixteen calls a message for one octet each are felt under load. */
const pool = Buffer.alloc(4096)
let used = pool.length

function random(): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return (pool[used++] as number) / 256
}

/** A ULID. */
export const newMessageId = (): string => ulid(undefined, random)
