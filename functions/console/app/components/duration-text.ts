/** Times until an event, as people read them. Pure. */
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** The two largest units: `2 d 3 h`, `3 h 12 min`, `12 min`; `under a minute`. A time that is over: `now`. */
export function durationText(ms: number): string {
  if (ms <= 0) return 'now'
  const days = Math.floor(ms / dayMs)
  const hours = Math.floor((ms % dayMs) / hourMs)
  const minutes = Math.floor((ms % hourMs) / minuteMs)
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min` : 'under a minute'
}
