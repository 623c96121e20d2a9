/**
 * Measures and cuts text in columns of a terminal. A user-perceived character (UAX #29) takes two columns if it is wide
 * (UAX #11) or an emoji, and its combining marks take none. Terminals differ for some scripts, such as Devanagari.
 */
import { eastAsianWidth } from 'get-east-asian-width'

const segmenter = new Intl.Segmenter()
const onlyAscii = /^[ -~]*$/

/** Returns the number of columns. @param text without invisible characters */
export function displayWidth(text: string): number {
  if (onlyAscii.test(text)) return text.length
  return [...segmenter.segment(text)].reduce((sum, { segment }) => sum + characterWidth(segment), 0)
}

function characterWidth(character: string): number {
  if (/^\p{Mn}/u.test(character)) return 0
  return /^\p{RGI_Emoji}$/v.test(character) ? 2 : eastAsianWidth(character.codePointAt(0) ?? 0)
}

export function fillToWidth(text: string, width: number, isRightAligned = false): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return isRightAligned ? fill + text : text + fill
}

/** Returns text of at most `width` columns; `…` replaces the end of longer text. @param width at least 1 */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let result = ''
  let remaining = width - 1
  for (const { segment } of segmenter.segment(text)) {
    remaining -= characterWidth(segment)
    if (remaining < 0) break
    result += segment
  }
  return `${result}…`
}
