/** The pages of a list whose API only leads forward. */
import { useState } from 'react'
import type { ViewState } from '../../use-view-state.ts'

export interface CursorPages {
  /** Null on the first page. */
  previous: (() => void) | null
  next(cursor: string): void
}

/**
 * Keeps the cursors of the pages before. A person who opens an address within the list has none: then `previous` leads to
 * the first page.
 */
export function useCursorPages(
  { cursor }: ViewState,
  change: (change: Readonly<Record<string, string>>) => void,
): CursorPages {
  const [before, setBefore] = useState<readonly string[]>([])
  return {
    previous:
      cursor === undefined
        ? null
        : () => {
            setBefore(before.slice(0, -1))
            change({ cursor: before.at(-1) ?? '' })
          },
    next: (nextCursor) => {
      setBefore(cursor === undefined ? [''] : [...before, cursor])
      change({ cursor: nextCursor })
    },
  }
}
