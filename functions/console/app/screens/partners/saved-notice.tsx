/** What was saved, with the API's warnings, or removed. A new outbound connector should be validated. */
import Alert from '@cloudscape-design/components/alert'
import { useLocation } from 'wouter'
import { useHistoryState } from 'wouter/use-browser-location'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import type { RemovedState, SavedState } from './saved-state.ts'

export function useSaved(): SavedState['saved'] | null {
  return useHistoryState<SavedState | null>()?.saved ?? null
}

export function SavedNotice({ saved }: { saved: SavedState['saved'] }) {
  const [path, navigate] = useLocation()
  const { name, direction, act, warnings, returned } = saved
  return (
    <Alert
      type={warnings.length > 0 ? 'warning' : 'success'}
      header={`${name} is ${act}`}
      dismissible
      dismissAriaLabel="Close the notice"
      onDismiss={() => navigate(path, { replace: true, state: null })}
    >
      {warnings.map((warning) => (
        <div key={warning}>
          <TextOfOthers text={`${warning.charAt(0).toUpperCase()}${warning.slice(1)}.`} />
        </div>
      ))}
      {returned !== null && <div>{returned}</div>}
      {direction === 'outbound' && (
        <div>Validate it now: mailflow connects to the servers as a delivery does.</div>
      )}
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
