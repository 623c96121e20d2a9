/** The state of a recipient, as the API names it, with a sign. */
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { stateTypes } from './message-acts.ts'

export const MessageState = ({ state, count = 1 }: { state: string; count?: number }) => (
  <StatusIndicator type={stateTypes[state as keyof typeof stateTypes] ?? 'info'}>
    {count === 1 ? state : `${state} ×${count}`}
  </StatusIndicator>
)
