/** SMTP replies, built in one place so that the two kinds of digits cannot disagree (RFC 3463 §2). */
import type { Reply } from '../contract/message.ts'
import { inOneLine } from './peer-words.ts'

/** Characters: what a peer says travels in jobs, traces and DSNs. */
const longestText = 500

/**
 * `reply(550, '7.51', 'Restricted')` is `550 5.7.51 Restricted`: the class of the enhanced code is the reply
 * code's own.
 * @param code 200–599
 * @param detail subject and detail of the enhanced status code
 * @param text may quote a peer: it is brought into one line of at most 500 characters
 */
export function reply(code: number, detail: string, text: string): Reply {
  return { code, enhanced: `${Math.floor(code / 100)}.${detail}`, text: inOneLine(text, longestText) }
}

/** The reply as one line of the protocol, without CRLF. */
export function formatReply({ code, enhanced, text }: Reply): string {
  return [code, enhanced, text].filter((part) => part !== '').join(' ')
}

export const isPermanent = (answer: Reply): boolean => answer.code >= 500

/** What a deferral's reply becomes when we give up: 4.7.321 turns into 5.7.321, whoever first said it. */
export function asPermanent(answer: Reply): Reply {
  if (isPermanent(answer)) return answer
  return { code: 550, enhanced: answer.enhanced.replace(/^4/, '5'), text: answer.text }
}

const enhancedPattern = /^([245])\.(\d{1,3})\.(\d{1,3})\s+/

/** Reads a peer's (possibly multi-line) reply. */
export function parseReply(raw: string): Reply | null {
  const lines = raw.split(/\r?\n/).filter((line) => line !== '')
  const code = Number(/^([2-5]\d\d)(?:[ -]|$)/.exec(lines[0] ?? '')?.[1])
  if (!code) return null
  const texts = lines.map((line) => line.slice(4))
  const enhanced = enhancedPattern.exec(texts[0] ?? '')?.[0].trim() ?? ''
  const text = inOneLine(texts.map((line) => line.replace(enhancedPattern, '')).join(' '), longestText)
  return { code, enhanced: enhanced.startsWith(String(Math.floor(code / 100))) ? enhanced : '', text }
}
