/** Formats values that several outputs share. */
import { toSingleLine } from '../../shared/mail/peer-text.ts'

export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Shortens an ISO 8601 time to `2026-02-03 11:00:00Z`. */
export const formatTime = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+/, '')

/** Makes untrusted text (names, replies, addresses) safe for a terminal. */
export const printable = (text: string): string => toSingleLine(text, Number.POSITIVE_INFINITY)
