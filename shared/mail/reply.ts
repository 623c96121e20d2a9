/** Builds and parses SMTP replies. `reply` checks that code and enhanced status code agree (RFC 3463 §2). */
import type { Reply } from '../contract/message.ts'
import { toSingleLine } from './peer-text.ts'

/** In characters. A next hop's text is copied to jobs, traces and DSNs. */
const maxTextLength = 500

/**
 * @param code 200–599
 * @param enhanced enhanced status code, such as `5.7.51`
 * @param text may quote a next hop: it becomes one line of at most 500 characters
 * @throws Error when the class of `enhanced` differs from that of `code` (RFC 3463 §2)
 */
export function reply(code: number, enhanced: string, text: string): Reply {
  if (!enhanced.startsWith(`${classOf(code)}.`))
    throw new Error(`reply ${code} with the enhanced status code ${enhanced} of another class`)
  return { code, enhanced, text: toSingleLine(text, maxTextLength) }
}

const classOf = (code: number): string => String(Math.floor(code / 100))

/** Returns the reply as one protocol line, without CRLF. */
export function formatReply({ code, enhanced, text }: Reply): string {
  return [code, enhanced, text].filter((part) => part !== '').join(' ')
}

export const isPermanent = (smtpReply: Reply): boolean => smtpReply.code >= 500

/**
 * Returns the final form of a temporary reply when a message expires: 4.7.321 becomes 5.7.321. A permanent reply is
 * unchanged.
 */
export const asPermanent = (smtpReply: Reply): Reply =>
  isPermanent(smtpReply) ? smtpReply : withCode(550, smtpReply)

/** Returns the form of a reply while its message is held: 5.7.51 becomes 4.7.51. */
export const asTemporary = (smtpReply: Reply): Reply => withCode(451, smtpReply)

/** A next hop's reply may have no enhanced status code; then the result has none. */
const withCode = (code: number, { enhanced, text }: Reply): Reply =>
  enhanced === '' ? { code, enhanced, text } : reply(code, `${classOf(code)}${enhanced.slice(1)}`, text)

const enhancedPattern = /^([245])\.(\d{1,3})\.(\d{1,3})\s+/

/**
 * Parses a next hop's reply of one or more lines. An enhanced status code of another class than the code is dropped.
 * @returns null when the text does not begin with a reply code
 */
export function parseReply(raw: string): Reply | null {
  const lines = raw.split(/\r?\n/).filter((line) => line !== '')
  const code = Number(/^([2-5]\d\d)(?:[ -]|$)/.exec(lines[0] ?? '')?.[1])
  if (!code) return null
  const texts = lines.map((line) => line.slice(4))
  const enhanced = enhancedPattern.exec(texts[0] ?? '')?.[0].trim() ?? ''
  const text = toSingleLine(texts.map((line) => line.replace(enhancedPattern, '')).join(' '), maxTextLength)
  return { code, enhanced: enhanced.startsWith(classOf(code)) ? enhanced : '', text }
}
