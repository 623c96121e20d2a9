/**
 * What a peer says (replies, names in its certificate), before people read it in logs, traces, mails and at
 * terminals. The attack: line breaks and writing directions of its own, by which a peer forges what stands around
 * its words. The defence: in prose whatever moves other text is a space; in a name, which people compare, whatever
 * cannot be seen is `?`. Its limit: visible words stay, and letters that look like others.
 */

/** Controls, changes of direction, separators of lines. */
const moving = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]+/gu

/** Besides, formats of no width, surrogates, what is unassigned. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu

/** @param most UTF-16 code units of the result */
export const inOneLine = (text: string, most: number): string =>
  text.replace(moving, ' ').trim().slice(0, most).toWellFormed()

/** As long as the text. */
export const visible = (text: string): string => text.replace(invisible, '?')
