import type { ReactNode } from 'react'
import type { ViewState } from '../../use-view-state.ts'
import type { CursorPages } from './use-cursor-pages.ts'

/** What the tables of the message trace have in common. */
export interface TableParts {
  state: ViewState
  change(change: Readonly<Record<string, string>>): void
  /** The time from which relative periods count, in milliseconds. */
  now: number
  pages: CursorPages
  actions: ReactNode
  filter: ReactNode
}
