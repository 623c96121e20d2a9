/** Builds and parses SMTP replies. One function checks that code and enhanced status code agree (RFC 3463 §2). */
import type { Reply } from '../contract/message.ts'
import { toSingleLine } from './peer-text.ts'

/** Characters. A next hop's text travels in jobs, traces and DSNs. */
const maxTextLength = 500

/**
 * @param code 200–599
 * @param enhanced enhanced status code of the same class, such as `5.7.51`; without a class it gets that of the code
 * @param text may quote a next hop: it becomes one line of at most 500 characters
 * @throws Error when the classes differ
 */
export function reply(code: number, enhanced: string, text: string): Reply {
  const digit = String(Math.floor(code / 100))
  const full = enhanced.split('.').length === 3 ? enhanced : `${digit}.${enhanced}`
  if (!full.startsWith(`${digit}.`)) throw new Error(`reply ${code} has status ${full} of another class`)
  return { code, enhanced: full, text: toSingleLine(text, maxTextLength) }
}

/** Returns the reply as one protocol line, without CRLF. */
export function formatReply({ code, enhanced, text }: Reply): string {
  return [code, enhanced, text].filter((part) => part !== '').join(' ')
}

export const isPermanent = (smtpReply: Reply): boolean => smtpReply.code >= 500

/** Returns the final form of a temporary reply, once a message expires: 4.7.321 becomes 5.7.321. */
export function asPermanent(smtpReply: Reply): Reply {
  if (isPermanent(smtpReply)) return smtpReply
  return { code: 550, enhanced: smtpReply.enhanced.replace(/^4/, '5'), text: smtpReply.text }
}

const enhancedPattern = /^([245])\.(\d{1,3})\.(\d{1,3})\s+/

/** Parses a next hop's reply of one or more lines. */
export function parseReply(raw: string): Reply | null {
  const lines = raw.split(/\r?\n/).filter((line) => line !== '')
  const code = Number(/^([2-5]\d\d)(?:[ -]|$)/.exec(lines[0] ?? '')?.[1])
  if (!code) return null
  const texts = lines.map((line) => line.slice(4))
  const enhanced = enhancedPattern.exec(texts[0] ?? '')?.[0].trim() ?? ''
  const text = toSingleLine(texts.map((line) => line.replace(enhancedPattern, '')).join(' '), maxTextLength)
  return { code, enhanced: enhanced.startsWith(String(Math.floor(code / 100))) ? enhanced : '', text }
}
