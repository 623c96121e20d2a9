/**
 * Cleans text from a peer (replies, certificate names) before people read it in logs, traces, mail and terminals. The
 * attack: line breaks and text direction marks that forge the surrounding text. The defence: in prose, such
 * characters become a space; in a name, which people compare, every invisible character becomes `?`. Not covered:
 * visible text that misleads, and letters that look like others.
 */
/** Control characters, bidirectional controls, line and paragraph separators. */
const layoutCharacters = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]+/gu

/** Control and format characters, surrogates, unassigned code points, line and paragraph separators. */
const invisibleCharacters = /[\p{C}\p{Zl}\p{Zp}]/gu

/** @param maxLength maximum length of the result, in UTF-16 code units */
export const toSingleLine = (text: string, maxLength: number): string =>
  text.replace(layoutCharacters, ' ').trim().slice(0, maxLength).toWellFormed()

/** The result is as long as the text. */
export const replaceInvisible = (text: string): string => text.replace(invisibleCharacters, '?')
