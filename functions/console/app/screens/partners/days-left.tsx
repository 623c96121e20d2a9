/** Days until a certificate expires. */
import Box from '@cloudscape-design/components/box'
import StatusIndicator from '@cloudscape-design/components/status-indicator'

const soonDays = 14
const laterDays = 30

export function DaysLeft({ days }: { days: number | null }) {
  if (days === null) return <Box color="text-body-secondary">not seen</Box>
  if (days < 0) return <StatusIndicator type="error">expired</StatusIndicator>
  const text = `${days.toLocaleString()} ${days === 1 ? 'day' : 'days'}`
  return days <= laterDays ? (
    <StatusIndicator type={days <= soonDays ? 'error' : 'warning'}>{text}</StatusIndicator>
  ) : (
    text
  )
}
