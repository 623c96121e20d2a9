/** Sizes as people read them. Pure. */

const units = ['kB', 'MB', 'GB', 'TB']

/** `793 B`, `5.7 kB`, `12 MB`. */
export function octetsText(octets: number): string {
  if (octets < 1000) return `${octets} B`
  let value = octets / 1000
  let unit = 0
  // 999.5 would be rounded to 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
