/** Keeps what was entered when the session ends, also if the view is hidden at that moment. */
import { useEffect, useRef, useState } from 'react'
import { hasSessionEnded } from '../../sign-in/session-state.ts'
import { type KeptInput, keepInput } from './kept-input.ts'

interface KeepOptions {
  /** Whether there is input to keep. */
  isKept: boolean
  hasEnded: boolean
  /** Name of the person. */
  person: string
}

export function useKeptInput(
  { draft, base }: Omit<KeptInput, 'at'>,
  { isKept, hasEnded, person }: KeepOptions,
): void {
  // When the view is left, the path of the page is that of the next view already.
  const [path] = useState(location.pathname)
  const keep = () => {
    if (isKept) keepInput({ draft, base, at: new Date().toISOString() }, { path, person })
  }
  const last = useRef(keep)
  useEffect(() => {
    last.current = keep
    if (hasEnded) keep()
  })
  useEffect(
    () => () => {
      if (hasSessionEnded()) last.current()
    },
    [],
  )
}
