/**
 * Defines which characters may be shown to people and used in names and addresses. The attack: a character that shows
 * nothing, or that moves, hides or reorders its neighbours, so that a terminal, a mail or a log shows another text than
 * the program compares. The defence: one set of characters, which names and addresses refuse and outputs replace or
 * escape. Not covered: letters that look like others, and visible text that misleads.
 */

/**
 * Control and format characters, surrogates, private and unassigned code points (general category C); line and
 * paragraph separators; every space except U+0020; Default_Ignorable_Code_Point, such as U+00AD, U+2062, U+3164,
 * variation selectors and tags (Unicode Standard §5.21); and three that show nothing though their category says
 * otherwise: U+2800, a Braille pattern without dots, U+16FE4, a filler, and U+1D159, a null notehead. PRECIS excludes most
 * of them from identifiers too (RFC 8264 §4.2.3).
 */
export const invisibleCharacter =
  /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\u{16FE4}\u{1D159}]|(?! )\p{Zs}/u

/** @returns the fault of a text that must not have invisible characters, or null */
export function invisibleFault(text: string): string | null {
  const codePoint = invisibleCharacter.exec(text)?.[0].codePointAt(0)
  if (codePoint === undefined) return null
  return `has the invisible character U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`
}

const invisibleCharacters = new RegExp(invisibleCharacter, 'gu')

/** Returns the text with each invisible character replaced by the result of `convert`. */
export const mapInvisible = (text: string, convert: (character: string) => string): string =>
  text.replace(invisibleCharacters, (character) => convert(character))

/**
 * Returns JSON in which every invisible character is escaped, also those that JSON.stringify leaves as they are: DEL,
 * the C1 controls and all that are not ASCII. The line breaks of the indentation stay.
 * @param indent spaces
 */
export const visibleJson = (value: unknown, indent = 0): string =>
  mapInvisible(JSON.stringify(value, null, indent), (character) =>
    character === '\n' ? character : toUnicodeEscapes(character),
  )

/** Writes each UTF-16 code unit as `\uXXXX` (RFC 8259 §7). */
export const toUnicodeEscapes = (text: string): string =>
  text.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
