/** Times in the reader's time zone, with UTC for the pointer and for screen readers. */
import Popover from '@cloudscape-design/components/popover'

const formats = {
  Day: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }),
  Minute: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
  Second: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }),
} as const

interface TimeProps {
  at: string
  /** With seconds, UTC is also shown to a reader who uses the keyboard. */
  precision?: keyof typeof formats
}

export function Time({ at, precision = 'Minute' }: TimeProps) {
  const time = new Date(at)
  const utc = `${time.toISOString().replace('T', ' ').slice(0, 19)} UTC`
  const text = (
    <time dateTime={at} title={utc}>
      {formats[precision].format(time)}
      <span className="spoken">, {utc}</span>
    </time>
  )
  if (precision !== 'Second') return text
  return (
    <Popover triggerType="text-inline" size="small" dismissButton={false} content={utc}>
      {text}
    </Popover>
  )
}
