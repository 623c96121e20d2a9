export interface BoundedMapOptions {
  /** Maximum number of keys; at least two. */
  maxKeys: number
  /**
   * Milliseconds without use after which a key may be removed. While the map is in use, the key is removed after twice
   * that time at the latest.
   */
  maxAgeMs?: number
  /** Milliseconds of a monotonic clock. */
  now?(): number
}

/**
 * A map with a bounded number of keys. The attack: endless keys, each used once, such as IPv6 addresses. The defence: a
 * full map removes the least recently used half in one step, because removing the oldest keys one by one would cost
 * more. Not covered: when there are more keys than the maximum, keys are removed that are still needed.
 */
export class BoundedMap<Value extends object> {
  readonly #halfSize: number
  readonly #maxAgeMs: number
  readonly #now: () => number
  #current = new Map<string, Value>()
  #previous = new Map<string, Value>()
  #currentSince: number

  constructor({ maxKeys, maxAgeMs = Number.POSITIVE_INFINITY, now = () => 0 }: BoundedMapOptions) {
    this.#halfSize = Math.floor(maxKeys / 2)
    this.#maxAgeMs = maxAgeMs
    this.#now = now
    this.#currentSince = now()
  }

  get size(): number {
    return this.#current.size + this.#previous.size
  }

  get(key: string): Value | undefined {
    this.#expire()
    const current = this.#current.get(key)
    if (current !== undefined) return current
    const previous = this.#previous.get(key)
    if (previous !== undefined) this.set(key, previous)
    return previous
  }

  /** @param create creates the value of an unknown key */
  getOrCreate(key: string, create: () => Value): Value {
    const existing = this.get(key)
    if (existing !== undefined) return existing
    const value = create()
    this.set(key, value)
    return value
  }

  set(key: string, value: Value): void {
    this.#expire()
    this.delete(key)
    if (this.#current.size >= this.#halfSize) this.#rotate()
    this.#current.set(key, value)
  }

  delete(key: string): void {
    if (!this.#current.delete(key)) this.#previous.delete(key)
  }

  *entries(): Generator<[key: string, value: Value]> {
    yield* this.#current
    yield* this.#previous
  }

  #expire(): void {
    if (this.#now() - this.#currentSince >= this.#maxAgeMs) this.#rotate()
  }

  #rotate(): void {
    this.#previous = this.#current
    this.#current = new Map()
    this.#currentSince = this.#now()
  }
}
