/**
 * A map of which many versions share one large base. A new version copies only the changes since the base, so it costs
 * no more for a large map than for a small one. Earlier versions stay as they are.
 */

/** Changes after which a version gets a base of its own. To copy a base of 100,000 entries takes about 30 ms. */
const maxChanges = 1000

export class LayeredMap<V> {
  readonly #base: ReadonlyMap<string, V>
  /** Undefined for a key that is not in this version. */
  readonly #changes: ReadonlyMap<string, V | undefined>

  constructor(
    base: ReadonlyMap<string, V> = new Map(),
    changes: ReadonlyMap<string, V | undefined> = new Map(),
  ) {
    this.#base = base
    this.#changes = changes
  }

  get(key: string): V | undefined {
    return this.#changes.size > 0 && this.#changes.has(key) ? this.#changes.get(key) : this.#base.get(key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  /** In no particular order. */
  *entries(): Generator<[string, V]> {
    for (const entry of this.#base) if (!this.#changes.has(entry[0])) yield entry
    for (const [key, value] of this.#changes) if (value !== undefined) yield [key, value]
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value
  }

  get isEmpty(): boolean {
    return this.entries().next().done === true
  }

  /** @param edits new values by key; undefined removes the key */
  with(edits: ReadonlyMap<string, V | undefined>): LayeredMap<V> {
    if (edits.size === 0) return this
    const changes = new Map(this.#changes)
    for (const [key, value] of edits) changes.set(key, value)
    if (changes.size <= maxChanges) return new LayeredMap(this.#base, changes)
    const base = new Map(this.#base)
    for (const [key, value] of changes) {
      if (value === undefined) base.delete(key)
      else base.set(key, value)
    }
    return new LayeredMap(base)
  }
}
