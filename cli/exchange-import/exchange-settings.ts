/**
 * The settings of one object as PowerShell's ConvertTo-Json wrote it. How it writes the same thing depends on its
 * version and on -Depth: an enumeration as its name, its number or both; a list as a list, as one string, as
 * `{value, Count}` or as null; letter case is PowerShell's, so it does not count.
 */

export class Settings {
  readonly #values: Map<string, { name: string; value: unknown }>
  readonly #asked = new Set<string>()

  constructor(object: Readonly<Record<string, unknown>>) {
    this.#values = new Map(
      Object.entries(object).map(([name, value]) => [name.toLowerCase(), { name, value: unwrapped(value) }]),
    )
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase())
  }

  /** Null for what is missing, null or empty. */
  text(name: string): string | null {
    return textOf(this.#value(name))
  }

  /** Null for what is missing. */
  flag(name: string): boolean | null {
    const value = this.#value(name)
    if (typeof value === 'boolean') return value
    const text = textOf(value)?.toLowerCase()
    return text === 'true' || text === '$true' ? true : text === 'false' || text === '$false' ? false : null
  }

  list(name: string): string[] {
    const value = this.#value(name)
    if (Array.isArray(value)) return value.map(textOf).filter((text) => text !== null)
    // -Depth that does not reach the list joins it by spaces.
    return (
      textOf(value)
        ?.split(/[\s,]+/)
        .filter(Boolean) ?? []
    )
  }

  /**
   * @param values names, with the numbers of Exchange's enumeration
   * @returns the name as `values` has it, `Unknown` for any other value, null for none
   */
  choice<T extends string>(name: string, values: Readonly<Record<T, number>>): T | 'Unknown' | null {
    const text = this.text(name)
    if (text === null) return null
    const names = Object.keys(values) as T[]
    return (
      names.find((one) => one.toLowerCase() === text.toLowerCase() || String(values[one]) === text) ??
      'Unknown'
    )
  }

  /** Settings that say something and that nobody has asked for, with their values. */
  unread(): [string, string][] {
    return [...this.#values]
      .filter(([key, { value }]) => !this.#asked.has(key) && !key.includes('@') && saysSomething(value))
      .map(([, { name, value }]) => [
        name,
        Array.isArray(value) ? value.map(textOf).join(', ') : (textOf(value) ?? ''),
      ])
  }

  #value(name: string): unknown {
    this.#asked.add(name.toLowerCase())
    return this.#values.get(name.toLowerCase())?.value
  }
}

/** A list in Windows PowerShell's wrapping. An enumeration in its own is left to textOf. */
function unwrapped(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toLowerCase(), inner]))
  return Array.isArray(entries.value) ? entries.value : value
}

/** What PowerShell's objects of one text are called by: an enumeration, an address space, a range of addresses. */
const textFields = ['Value', 'Address', 'Expression', 'Name']

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const fields = value as Record<string, unknown>
  return textFields.map((field) => textOf(fields[field])).find((text) => text !== null) ?? null
}

const saysSomething = (value: unknown): boolean =>
  value !== false &&
  (Array.isArray(value) ? value.length > 0 : textOf(value) !== null && textOf(value) !== 'False')
