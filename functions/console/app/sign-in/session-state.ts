/** Whether the person's session has ended. Any request may learn it. */
import { useSyncExternalStore } from 'react'

let hasEnded = false
const listeners = new Set<() => void>()

export function endSession(): void {
  hasEnded = true
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const hasSessionEnded = (): boolean => hasEnded

export const useSessionEnded = (): boolean => useSyncExternalStore(subscribe, hasSessionEnded)
