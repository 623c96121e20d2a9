/**
 * A set of texts in eight octets each. The attack: a client computes a text with the hash of one in the set. The
 * defence: the hash has a key that only this process knows. Not covered: with n texts in the set, a text that is not in
 * it is found with a probability of n / 2^64.
 */
import { hash, randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

const key = randomBytes(16).toString('hex')

/** Texts that are hashed before other work may run: about two milliseconds. */
const batchSize = 1000

export class HashSet {
  readonly #hashes: BigUint64Array

  private constructor(hashes: BigUint64Array) {
    this.#hashes = hashes
  }

  /** Leaves other work its turns. @throws the error of `texts` */
  static async from(texts: AsyncIterable<readonly string[]>): Promise<HashSet> {
    const batches: BigUint64Array[] = []
    for await (const part of texts)
      for (let start = 0; start < part.length; start += batchSize) {
        batches.push(BigUint64Array.from(part.slice(start, start + batchSize), hashOf))
        await setImmediate()
      }
    const hashes = new BigUint64Array(batches.reduce((sum, { length }) => sum + length, 0))
    let offset = 0
    for (const batch of batches) {
      hashes.set(batch, offset)
      offset += batch.length
    }
    return new HashSet(hashes.sort())
  }

  get size(): number {
    return this.#hashes.length
  }

  has(text: string): boolean {
    const wanted = hashOf(text)
    let low = 0
    let high = this.#hashes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#hashes[middle] ?? 0n) < wanted) low = middle + 1
      else high = middle
    }
    return this.#hashes[low] === wanted
  }
}

const hashOf = (text: string): bigint => hash('sha256', key + text, 'buffer').readBigUInt64LE()
