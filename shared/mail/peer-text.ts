/**
 * Cleans text from a peer (replies, certificate names) before people read it in logs, traces, mail and terminals. The
 * attack: line breaks, text direction marks and hidden characters that forge the surrounding text. The defence: no
 * invisible character remains; each becomes `?`. In prose, line breaks, tabs and other spaces become one space. Not
 * covered: visible text that misleads, and letters that look like others.
 */
import { mapInvisible } from '../contract/visible-text.ts'

/** White space except U+0020. U+0085 is a line break in Unicode, but not in `\s`. */
const otherWhiteSpace = /(?:[^\S ]|\u0085)+/g

/** For prose. @param maxLength maximum length of the result, in UTF-16 code units */
export const toSingleLine = (text: string, maxLength: number): string =>
  replaceInvisible(text.replace(otherWhiteSpace, ' ').trim()).slice(0, maxLength).toWellFormed()

/** For names, which people compare. Returns one `?` for each invisible character. */
export const replaceInvisible = (text: string): string => mapInvisible(text, () => '?')
