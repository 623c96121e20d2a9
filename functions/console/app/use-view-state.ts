/** Keeps what a view shows in its address, so that the address leads to what one sees. */
import { useCallback, useMemo } from 'react'
import { useLocation, useSearch } from 'wouter'
import { visibleText } from './visible-text.ts'

export type ViewState = Readonly<Record<string, string>>

/** @returns the parameters of the address, and a function that changes some of them; an empty text removes one */
export function useViewState(): [ViewState, (change: Readonly<Record<string, string>>) => void] {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const state = useMemo(
    () =>
      Object.fromEntries([...new URLSearchParams(search)].map(([key, value]) => [key, visibleText(value)])),
    [search],
  )
  const change = useCallback(
    (changes: Readonly<Record<string, string>>) => {
      const entries = Object.entries({ ...state, ...changes }).filter(([, value]) => value !== '')
      const query = new URLSearchParams(entries).toString()
      navigate(query === '' ? path : `${path}?${query}`, { replace: true })
    },
    [state, path, navigate],
  )
  return [state, change]
}
