/** Describes what a search read, and its price. Pure. */

/** https://aws.amazon.com/athena/pricing/ */
const usdPerTerabyte = 5
const minBilledOctets = 10_000_000
const octetsPerTerabyte = 1e12

/** @param isBilled false for a search on this machine, and for the result of an earlier search */
export function costText({
  scannedOctets: octets,
  ms,
  isBilled,
}: {
  scannedOctets: number
  ms: number
  isBilled: boolean
}): string {
  const text = `The search read ${octetsText(octets)} in ${(ms / 1000).toFixed(1)} s.`
  return isBilled
    ? `${text} AWS charges ${usdText(octets)} (${usdPerTerabyte} USD per TB in most Regions, at least 10 MB).`
    : text
}

function usdText(octets: number): string {
  const usd = (Math.max(octets, minBilledOctets) / octetsPerTerabyte) * usdPerTerabyte
  return usd < 0.01 ? 'less than 0.01 USD' : `about ${usd.toFixed(2)} USD`
}

/** Decimal units, as AWS's price has. */
function octetsText(octets: number): string {
  if (octets < 1000) return `${octets} octets`
  const units = ['kB', 'MB', 'GB', 'TB']
  const power = Math.min(Math.floor(Math.log10(octets) / 3), units.length)
  return `${(octets / 1000 ** power).toFixed(1)} ${units[power - 1]}`
}
