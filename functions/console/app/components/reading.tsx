import StatusIndicator from '@cloudscape-design/components/status-indicator'

/** Shown, and read aloud, while an answer is on its way. */
export const Reading = ({ what }: { what: string }) => (
  <div role="status">
    <StatusIndicator type="loading">Reading {what}</StatusIndicator>
  </div>
)
