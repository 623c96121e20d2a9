/**
 * What a connector's name may contain. Logs, traces, replies, DSNs and the command line quote names, and administrators
 * compare them. The attack: a name that looks like another connector's name, or that forges the text around it. The
 * defence: no invisible character, no spaces at the ends or two in a row. Not covered: letters that look like others,
 * and connectors that an earlier version stored; outputs show their invisible characters as `?`.
 */
import { invisibleFault, mapInvisible } from '../contract/visible-text.ts'

/** In UTF-16 code units. */
export const maxNameLength = 64

/**
 * @param name without spaces at its ends
 * @returns the fault of the name, or null
 */
export function nameFault(name: string): string | null {
  return invisibleFault(name) ?? (name.includes('  ') ? 'has two spaces in a row' : null)
}

/** Returns the nearest valid name, or an empty text. The second pass removes half of a character that the cut split. */
export const cleanName = (text: string): string =>
  removeInvisible(removeInvisible(text).slice(0, maxNameLength))

const removeInvisible = (text: string): string =>
  mapInvisible(text, (character) => (/[\s\u0085]/.test(character) ? ' ' : ''))
    .replace(/ {2,}/g, ' ')
    .trim()
