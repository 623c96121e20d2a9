/** Times in the reader's time zone, with UTC for the pointer and for screen readers. */
import Popover from '@cloudscape-design/components/popover'
import type { ReactNode } from 'react'

const formats = {
  Day: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }),
  Minute: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
  Second: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }),
} as const

/** The date and the time of day are not broken, so that a narrow column has one below the other. */
function lineParts(format: Intl.DateTimeFormat, time: Date): ReactNode {
  const parts = format.formatToParts(time)
  const hour = parts.findIndex(({ type }) => type === 'hour')
  const text = (from: number, to?: number) => (
    <span className="unbroken">
      {parts
        .slice(from, to)
        .map(({ value }) => value)
        .join('')}
    </span>
  )
  if (hour < 1) return text(0)
  return (
    <>
      {text(0, hour - 1)}
      {parts[hour - 1]?.value}
      {text(hour)}
    </>
  )
}

interface TimeProps {
  at: string
  /** With seconds, UTC is also shown to a reader who uses the keyboard. */
  precision?: keyof typeof formats
}

export function Time({ at, precision = 'Minute' }: TimeProps) {
  const time = new Date(at)
  // An address that someone changed has any text.
  if (Number.isNaN(time.getTime())) return 'an unknown time'
  const utc = `${time.toISOString().replace('T', ' ').slice(0, 19)} UTC`
  const text = (
    <time dateTime={at} title={utc}>
      {lineParts(formats[precision], time)}
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
