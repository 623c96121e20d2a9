/** Changes of the configuration: their fields, and their files. Pure. */
import { changeColumns, changeRow } from '../../../../../shared/event-queries/change-columns.ts'
import { csvText } from '../../../../../shared/http-api/csv.ts'
import type { ChangeEntry } from '../../api/types.ts'

export interface ChangedField {
  name: string
  /** Absent: the entry did not have the field. */
  before?: unknown
  after?: unknown
}

/** Facts that the table shows in its other columns, or that change with each write. */
const hidden = new Set(['id', 'createdAt', 'updatedAt', 'version'])

export function changedFields({ before, after }: Pick<ChangeEntry, 'before' | 'after'>): ChangedField[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return [...names]
    .filter((name) => !hidden.has(name))
    .map((name) => ({
      name,
      ...(before !== null && name in before && { before: before[name] }),
      ...(after !== null && name in after && { after: after[name] }),
    }))
}

export interface ListChange {
  added: readonly string[]
  removed: readonly string[]
}

/** @returns what was added to and removed from a list; null unless both values are lists of texts */
export function listChange(before: unknown, after: unknown): ListChange | null {
  if (!isTexts(before) || !isTexts(after) || (before.length < 2 && after.length < 2)) return null
  return {
    added: after.filter((item) => !before.includes(item)),
    removed: before.filter((item) => !after.includes(item)),
  }
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

export const isCertificate = (text: string): boolean => text.includes('-----BEGIN CERTIFICATE-----')

/** A value as a text; lists are joined by commas. */
export function valueText(value: unknown): string {
  if (value === undefined) return 'absent'
  if (value === '') return 'empty'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join(', ')
  if (typeof value === 'string') return value
  if (isHost(value)) return `${value.host}:${value.port}`
  return JSON.stringify(value)
}

const isHost = (value: unknown): value is { host: string; port: number } =>
  typeof value === 'object' && value !== null && 'host' in value && 'port' in value

export const changesCsv = (changes: readonly ChangeEntry[]): string =>
  csvText(changeColumns, changes.map(changeRow))

export const changesJson = (changes: readonly ChangeEntry[]): string =>
  `${JSON.stringify(changes, null, 2)}\n`
