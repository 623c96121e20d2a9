import { UsageError } from '../command-error.ts'

/** @returns the name that the text is, in any letter case */
export function parseChoice(option: string, text: string, noun: string, names: readonly string[]): string {
  const found = names.find((name) => name.toLowerCase() === text.toLowerCase())
  if (found !== undefined) return found
  throw new UsageError(`${option} ${text}: not a ${noun}; the ${noun}s are ${names.join(', ')}`)
}
