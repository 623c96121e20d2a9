/** A time in the future, and how long it is until then. */
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useEffect, useState } from 'react'
import { durationText } from './duration-text.ts'
import { Time } from './time.tsx'

const refreshMs = 30_000

interface CountdownProps {
  at: string
  /** Less time than this is shown as a warning. */
  warningMs: number
}

export function Countdown({ at, warningMs }: CountdownProps) {
  const now = useNow()
  const left = Date.parse(at) - now
  return (
    <>
      <div>
        {left < warningMs ? (
          <StatusIndicator type="warning">{durationText(left)}</StatusIndicator>
        ) : (
          durationText(left)
        )}
      </div>
      <Time at={at} />
    </>
  )
}

function useNow(): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), refreshMs)
    return () => clearInterval(timer)
  }, [])
  return now
}
