/**
 * Reads the settings of one object in the JSON of PowerShell's ConvertTo-Json. The format depends on PowerShell's
 * version and on -Depth. An enumeration is written as its name, its number or both. A list is written as a list, one
 * string, `{value, Count}` or null. The letter case of names is ignored.
 */

export class ExchangeSettings {
  readonly #values: Map<string, { name: string; value: unknown }>
  readonly #readNames = new Set<string>()
  /** The object as JSON, for comparison with another. */
  readonly content: string

  constructor(object: Readonly<Record<string, unknown>>) {
    this.content = JSON.stringify(object)
    this.#values = new Map(
      Object.entries(object).map(([name, value]) => [name.toLowerCase(), { name, value: unwrapList(value) }]),
    )
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase())
  }

  /** Returns null for a missing, null or empty setting. */
  text(name: string): string | null {
    return textOf(this.#value(name))
  }

  /** Returns null for a missing setting. */
  flag(name: string): boolean | null {
    const value = this.#value(name)
    if (typeof value === 'boolean') return value
    const text = textOf(value)?.toLowerCase()
    return text === 'true' || text === '$true' ? true : text === 'false' || text === '$false' ? false : null
  }

  list(name: string): string[] {
    const value = this.#value(name)
    if (Array.isArray(value)) return value.map(textOf).filter((text) => text !== null)
    // If -Depth is too small, PowerShell joins the items of a list with spaces.
    return (
      textOf(value)
        ?.split(/[\s,]+/)
        .filter(Boolean) ?? []
    )
  }

  /**
   * @param values names and numbers of Exchange's enumeration
   * @returns a name in `values`, `Unknown` for any other value, null for an empty setting
   */
  choice<T extends string>(name: string, values: Readonly<Record<T, number | null>>): T | 'Unknown' | null {
    const text = this.text(name)
    if (text === null) return null
    const names = Object.keys(values) as T[]
    return (
      names.find((value) => value.toLowerCase() === text.toLowerCase() || String(values[value]) === text) ??
      'Unknown'
    )
  }

  /** Returns names and values of settings that are not empty and were not read. */
  unread(): [string, string][] {
    return [...this.#values]
      .filter(([key, { value }]) => !this.#readNames.has(key) && !key.includes('@') && isSet(value))
      .map(([, { name, value }]) => [
        name,
        Array.isArray(value) ? value.map(textOf).join(', ') : (textOf(value) ?? ''),
      ])
  }

  #value(name: string): unknown {
    this.#readNames.add(name.toLowerCase())
    return this.#values.get(name.toLowerCase())?.value
  }
}

/** Unwraps `{value, Count}`, in which Windows PowerShell writes some lists. `textOf` unwraps enumerations. */
function unwrapList(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toLowerCase(), inner]))
  return Array.isArray(entries.value) ? entries.value : value
}

/** Properties that hold the text of an enumeration, an address space or an address range. */
const textFields = ['Value', 'Address', 'Expression', 'Name']

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const fields = value as Record<string, unknown>
  return textFields.map((field) => textOf(fields[field])).find((text) => text !== null) ?? null
}

const isSet = (value: unknown): boolean =>
  value !== false &&
  (Array.isArray(value) ? value.length > 0 : textOf(value) !== null && textOf(value) !== 'False')
