/** Text of others, in a form that can stand in a field or a line of a DSN. */

/** Characters: no line exceeds the 998 octets of RFC 5322 §2.1.1, whatever UTF-8 or escapes make of it. */
const longest = 240

/** In one line. Others' words have been made visible before they came here; a line break never goes further. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
export const oneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ')

/** RFC 6533 §3: `\x{HEX}` for each character of the set. */
export const embedded = (text: string, characters: RegExp): string =>
  text.replace(characters, (character) => {
    const hexadecimal = character.codePointAt(0)?.toString(16).toUpperCase() ?? ''
    return `\\x{${hexadecimal.padStart(2, '0')}}`
  })

/** ASCII, in one line, of bounded length. */
export const asciiLine = (text: string, most = 900): string =>
  embedded(oneLine(text), /[^ -~]/gu).slice(0, most)

/** UTF-8, in one line, of bounded length. */
export const utf8Line = (text: string): string => oneLine(text).slice(0, longest).toWellFormed()

export const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length

/** RFC 5322 §3.3. */
export const mailDate = (iso: string): string => new Date(iso).toUTCString().replace('GMT', '+0000')
