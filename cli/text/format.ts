/** Formats values that several outputs share. */
import { mapInvisible, visibleJson } from '../../shared/contract/visible-text.ts'
import { toSingleLine } from '../../shared/mail/peer-text.ts'

export const jsonText = (value: unknown): string => `${visibleJson(value, 2)}\n`

/** Shortens an ISO 8601 time to `2026-02-03 11:00:00Z`. */
export const formatTime = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+/, '')

/**
 * Returns output for a terminal. The attack: text from a file, the API, a peer or an argument that contains terminal
 * escapes or hidden characters. The defence: `run` passes all output through this function, and each invisible character
 * except the line break becomes `?`. Not covered: a line break in a value; `printable` removes it.
 */
export const terminalText = (text: string): string =>
  mapInvisible(text, (character) => (character === '\n' ? character : '?'))

/** Makes untrusted text (names, replies, addresses) one line, so that it forges no other line. */
export const printable = (text: string): string => toSingleLine(text, Number.POSITIVE_INFINITY)
