import StatusIndicator, { type StatusIndicatorProps } from '@cloudscape-design/components/status-indicator'
import type { UnknownState } from './unknown-text.ts'

const types: Readonly<Record<UnknownState, StatusIndicatorProps.Type>> = {
  Open: 'warning',
  Resolved: 'success',
  Dismissed: 'stopped',
}

export const StateOfCertificate = ({ state }: { state: UnknownState }) => (
  <StatusIndicator type={types[state]}>{state}</StatusIndicator>
)
