/** Times in the reader's time zone, with UTC for the pointer and for screen readers. */
import Popover from '@cloudscape-design/components/popover'

const inZone = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const toTheSecond = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

interface TimeProps {
  at: string
  /** Shows seconds, and UTC also to a reader who uses the keyboard. For views in which the order of events matters. */
  isExact?: boolean
}

export function Time({ at, isExact = false }: TimeProps) {
  const time = new Date(at)
  const utc = `${time.toISOString().replace('T', ' ').slice(0, 19)} UTC`
  const text = (
    <time dateTime={at} title={utc}>
      {(isExact ? toTheSecond : inZone).format(time)}
      <span className="spoken">, {utc}</span>
    </time>
  )
  if (!isExact) return text
  return (
    <Popover triggerType="text-inline" size="small" dismissButton={false} content={utc}>
      {text}
    </Popover>
  )
}
