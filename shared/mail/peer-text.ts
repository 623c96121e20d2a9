/**
 * Cleans text from a peer (replies, certificate names) before people read it in logs, traces, mail and terminals. The
 * attack: line breaks, text direction marks and hidden characters that forge the surrounding text. The defence: no
 * invisible character remains. In a name, which people compare, each becomes `?`. In prose, those that lay out text
 * become a space. Not covered: visible text that misleads, and letters that look like others.
 */
import { mapInvisible } from '../contract/visible-text.ts'

/** Control characters, bidirectional controls, line and paragraph separators, spaces except U+0020. */
const layoutCharacters = /(?:[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]|(?! )\p{Zs})+/gu

/** For prose. @param maxLength maximum length of the result, in UTF-16 code units */
export const toSingleLine = (text: string, maxLength: number): string =>
  replaceInvisible(text.replace(layoutCharacters, ' ').trim()).slice(0, maxLength).toWellFormed()

/** For names. Returns one `?` for each invisible character. */
export const replaceInvisible = (text: string): string => mapInvisible(text, () => '?')
