/** What depends on the time: a component renders again when it changes. */
import { useSyncExternalStore } from 'react'

function subscribe(listener: () => void): () => void {
  // Not a timer for a date: after a computer has slept it is late, and one of more than 24 days is at once.
  const timer = setInterval(listener, 1000)
  return () => clearInterval(timer)
}

/** @param valueAt its parameter is in milliseconds since the epoch */
export const useAtTime = <T extends string | number | boolean>(valueAt: (now: number) => T): T =>
  useSyncExternalStore(subscribe, () => valueAt(Date.now()))
