import { UsageError } from '../command-error.ts'

const octetsOf: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/**
 * Parses a size in octets. `KB`, `MB` and `GB` are powers of 1024, as in PowerShell.
 * @param option the option's name, for messages
 */
export function parseSize(option: string, text: string): number {
  const [, digits, unit = ''] = /^(\d{1,15})(?:([KMG])B)?$/i.exec(text) ?? []
  const octets = Number(digits) * (octetsOf[unit.toUpperCase()] ?? Number.NaN)
  if (octets >= 1 && Number.isSafeInteger(octets)) return octets
  throw new UsageError(`${option} ${text}: not a size; examples: 10MB, 500KB, 2000 (octets)`)
}
