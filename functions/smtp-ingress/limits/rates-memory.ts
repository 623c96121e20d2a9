/**
 * What is remembered by a key, of a bounded number of keys. The attack: keys without end, each only once, as IPv6
 * addresses are. The defence: when there are too many, the half that has not been asked for longest is forgotten at
 * once, since to look for the oldest one by one costs more than what is counted. The limit: who has that many keys is
 * remembered by none of them.
 */
export class BoundedMemory<Value extends object> {
  readonly #half: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  /** @param most keys that are remembered, two or more */
  constructor(most: number) {
    this.#half = Math.floor(most / 2)
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.#remember(key, old)
    return old
  }

  /** @param make what is remembered of a key that is not known */
  getOrMake(key: string, make: () => Value): Value {
    const known = this.get(key)
    if (known !== undefined) return known
    const made = make()
    this.#remember(key, made)
    return made
  }

  /** A key may come twice, with the same value. */
  *entries(): Generator<[key: string, value: Value]> {
    yield* this.#young
    yield* this.#old
  }

  #remember(key: string, value: Value): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
