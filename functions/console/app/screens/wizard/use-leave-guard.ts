/** Asks once before unsaved input is lost. */
import { useEffect, useState } from 'react'
import { setNavigationGuard } from '../../navigation-guard.ts'

export interface LeaveGuard {
  /** Whether the person has to decide now. */
  isOpen: boolean
  leave(): void
  stay(): void
}

/** @param isUnsaved whether leaving loses input */
export function useLeaveGuard(isUnsaved: boolean): LeaveGuard {
  const [pending, setPending] = useState<{ leave: () => void } | null>(null)
  useEffect(() => {
    setNavigationGuard(isUnsaved ? (leave) => setPending({ leave }) : null)
    return () => setNavigationGuard(null)
  }, [isUnsaved])
  return {
    isOpen: pending !== null,
    leave: () => {
      setPending(null)
      pending?.leave()
    },
    stay: () => setPending(null),
  }
}
