export interface MemoryBounds {
  /** Keys held, two or more. */
  most: number
  /** Milliseconds after which an unused key is forgotten; at most twice as long. */
  maxAgeMs?: number
  /** Milliseconds of a monotonic clock. */
  now?(): number
}

/**
 * A map with a bounded number of keys. The attack: endless keys, each used once, such as IPv6 addresses. The defence: a
 * full map forgets the least recently used half at once; finding single oldest keys would cost more than the counting.
 * The limit: keys beyond the bound are forgotten too early.
 */
export class BoundedMemory<Value extends object> {
  readonly #half: number
  readonly #maxAgeMs: number
  readonly #now: () => number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()
  #youngSince: number

  constructor({ most, maxAgeMs = Number.POSITIVE_INFINITY, now = () => 0 }: MemoryBounds) {
    this.#half = Math.floor(most / 2)
    this.#maxAgeMs = maxAgeMs
    this.#now = now
    this.#youngSince = now()
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): Value | undefined {
    this.#forgetAged()
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  /** @param make creates the value of an unknown key */
  getOrMake(key: string, make: () => Value): Value {
    const known = this.get(key)
    if (known !== undefined) return known
    const made = make()
    this.set(key, made)
    return made
  }

  set(key: string, value: Value): void {
    this.#forgetAged()
    this.delete(key)
    if (this.#young.size >= this.#half) this.#forgetOld()
    this.#young.set(key, value)
  }

  delete(key: string): void {
    if (!this.#young.delete(key)) this.#old.delete(key)
  }

  *entries(): Generator<[key: string, value: Value]> {
    yield* this.#young
    yield* this.#old
  }

  #forgetAged(): void {
    if (this.#now() - this.#youngSince >= this.#maxAgeMs) this.#forgetOld()
  }

  #forgetOld(): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#youngSince = this.#now()
  }
}
