/** Times in the reader's time zone, with UTC for the pointer and for screen readers. */

const inZone = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export function Time({ at }: { at: string }) {
  const time = new Date(at)
  // An address that someone changed has any text.
  if (Number.isNaN(time.getTime())) return 'an unknown time'
  return (
    <time dateTime={at} title={`${time.toISOString().replace('T', ' ').slice(0, 19)} UTC`}>
      {inZone.format(time)}
    </time>
  )
}
