/** What was saved, or removed. The page shows the warnings. A new outbound connector should be validated. */
import Alert from '@cloudscape-design/components/alert'
import { useLocation } from 'wouter'
import { useHistoryState } from 'wouter/use-browser-location'
import type { RemovedState, SavedState } from './saved-state.ts'
import { WarningsLink } from './warnings.tsx'

export function useSaved(): SavedState['saved'] | null {
  return useHistoryState<SavedState | null>()?.saved ?? null
}

interface SavedNoticeProps {
  saved: SavedState['saved']
  /** Whether the page shows warnings about the connector. */
  hasWarnings: boolean
}

export function SavedNotice({ saved, hasWarnings }: SavedNoticeProps) {
  const [path, navigate] = useLocation()
  const { name, direction, act, returned } = saved
  return (
    <Alert
      type="success"
      header={`${name} is ${act}`}
      dismissible
      dismissAriaLabel="Close the notice"
      onDismiss={() => navigate(path, { replace: true, state: null })}
    >
      {returned !== null && <div>{returned}</div>}
      {direction === 'outbound' && (
        <div>Validate it now: mailflow connects to the servers as a delivery does.</div>
      )}
      {hasWarnings && <WarningsLink />}
    </Alert>
  )
}

export function RemovedNotice() {
  const removed = useHistoryState<RemovedState | null>()?.removed ?? null
  const [path, navigate] = useLocation()
  if (removed === null) return null
  return (
    <Alert
      type="success"
      header={`${removed} is removed`}
      dismissible
      dismissAriaLabel="Close the notice"
      onDismiss={() => navigate(path, { replace: true, state: null })}
    />
  )
}
