/** Prepares text from senders and next hops for a field or a line of a DSN. */
import { toSingleLine } from '../peer-text.ts'

/**
 * In UTF-16 code units, each of which takes at most three octets in UTF-8: no line exceeds the 998 octets of RFC 5322
 * §2.1.1.
 */
const maxUtf8Length = 240

/** Returns one line. A line break in text from outside would forge the lines that follow. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the function removes control characters
export const toOneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ')

/** RFC 6533 §3: writes each character of the set as `\x{HEX}`. */
export const escapeCharacters = (text: string, characters: RegExp): string =>
  text.replace(characters, (character) => {
    const hexadecimal = character.codePointAt(0)?.toString(16).toUpperCase() ?? ''
    return `\\x{${hexadecimal.padStart(2, '0')}}`
  })

/** Returns one line of ASCII with a limited length. */
export const toAsciiLine = (text: string, maxLength = 900): string =>
  escapeCharacters(toOneLine(text), /[^ -~]/gu).slice(0, maxLength)

/** Returns one line of UTF-8 with a limited length. */
export const toUtf8Line = (text: string): string => toSingleLine(text, maxUtf8Length)

export const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length

/** RFC 5322 §3.3 */
export const mailDate = (iso: string): string => new Date(iso).toUTCString().replace('GMT', '+0000')
