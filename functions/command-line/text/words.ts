/** Small words that several outputs share. */

/** `1 message`, `2 messages`. */
export const counted = (count: number, singular: string, plural = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : plural}`

/** `2026-02-03 11:00:00Z`: short, and still a time that says its zone. */
export const timeOf = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+/, '')

/** Control characters of what others wrote (names, replies, addresses) must not reach a terminal. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, ' ')
