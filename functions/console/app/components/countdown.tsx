/** A time in the future, and how long it is until then. */
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { durationText } from './duration-text.ts'
import { Time } from './time.tsx'
import { useAtTime } from './use-at-time.ts'

interface CountdownProps {
  at: string
  /** Less time than this is shown as a warning. */
  warningMs: number
}

export function Countdown({ at, warningMs }: CountdownProps) {
  const text = useAtTime((now) => durationText(Date.parse(at) - now))
  const isSoon = useAtTime((now) => Date.parse(at) - now < warningMs)
  return (
    <>
      <div>{isSoon ? <StatusIndicator type="warning">{text}</StatusIndicator> : text}</div>
      <Time at={at} />
    </>
  )
}
