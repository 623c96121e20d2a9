/** Filters that a person saved under a name, in this browser. Pure, except for the storage that is given. */
import type { ViewState } from '../../use-view-state.ts'
import { visibleValue } from '../../visible-text.ts'
import { fromTheStart } from './time-range.ts'
import { filterKeys } from './trace-filters.ts'

export interface SavedFilter {
  name: string
  /** The parameters of the address. */
  state: ViewState
}

export const maxFilterName = 60

type TextStorage = Pick<Storage, 'getItem' | 'setItem'>

const storageKey = 'mailflow.messageFilters'
const savedKeys: readonly string[] = [...filterKeys, 'last', 'from', 'to']

/** What is not readable is left out: another version may have written it. */
export function readSavedFilters(storage: TextStorage): SavedFilter[] {
  try {
    const saved: unknown = JSON.parse(storage.getItem(storageKey) ?? '[]', visibleValue)
    return Array.isArray(saved) ? saved.filter(isSavedFilter) : []
  } catch {
    return []
  }
}

const isSavedFilter = (value: unknown): value is SavedFilter => {
  if (typeof value !== 'object' || value === null) return false
  const { name, state } = value as Partial<SavedFilter>
  return (
    typeof name === 'string' &&
    name.length <= maxFilterName &&
    typeof state === 'object' &&
    state !== null &&
    Object.values(state).every((text) => typeof text === 'string')
  )
}

/** Replaces a filter of the same name. @throws Error if the browser stores nothing more */
export function saveFilter(storage: TextStorage, name: string, state: ViewState): SavedFilter[] {
  const kept = readSavedFilters(storage).filter((filter) => filter.name !== name)
  const filters = [...kept, { name, state: savedState(state) }].sort((a, b) => a.name.localeCompare(b.name))
  storage.setItem(storageKey, JSON.stringify(filters))
  return filters
}

export function deleteFilter(storage: TextStorage, name: string): SavedFilter[] {
  const filters = readSavedFilters(storage).filter((filter) => filter.name !== name)
  storage.setItem(storageKey, JSON.stringify(filters))
  return filters
}

const savedState = (state: ViewState): ViewState =>
  Object.fromEntries(savedKeys.flatMap((key) => (state[key] === undefined ? [] : [[key, state[key]]])))

/** The change of the address that applies a filter, and nothing of the one before. */
export const filterChange = ({ state }: SavedFilter): Record<string, string> => ({
  ...Object.fromEntries(savedKeys.map((key) => [key, state[key] ?? ''])),
  ...fromTheStart,
})

/** The name of the saved filter that the address shows. */
export function selectedName(filters: readonly SavedFilter[], state: ViewState): string | null {
  const shown = JSON.stringify(savedState(state))
  return filters.find((filter) => JSON.stringify(savedState(filter.state)) === shown)?.name ?? null
}
