/** Sizes as a person reads and enters them, with the powers of 1024 of PowerShell. Pure. */

const octetsOf: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** Returns `10MB` as octets. Returns another text as it is: the API refuses it. */
export function parseSize(text: string): string {
  const [, digits, unit = ''] = /^(\d{1,15})\s?(?:([KMG])B)?$/i.exec(text) ?? []
  const octets = Number(digits) * (octetsOf[unit.toUpperCase()] ?? Number.NaN)
  return Number.isSafeInteger(octets) ? String(octets) : text
}

/** Sizes as they are entered: `10 MB`. */
export function sizeText(octets: number): string {
  for (const unit of ['G', 'M', 'K']) {
    const factor = octetsOf[unit] as number
    if (octets >= factor) return `${Number((octets / factor).toFixed(1))} ${unit}B`
  }
  return `${octets} octets`
}
