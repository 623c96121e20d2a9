/** Small words that several outputs share. */
import { inOneLine } from '../../shared/mail/peer-words.ts'

/** For programs. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** `2026-02-03 11:00:00Z`: short, and still a time that says its zone. */
export const timeOf = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+/, '')

/** What others wrote (names, replies, addresses), for a terminal. */
export const printable = (text: string): string => inOneLine(text, Number.POSITIVE_INFINITY)
