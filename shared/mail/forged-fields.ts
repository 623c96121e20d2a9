/**
 * Removes header fields that only mailflow or Amazon SES may set. The attacks: `X-SES-CONFIGURATION-SET` selects another
 * configuration set than mailflow's, which is what makes SES require TLS; `Authentication-Results` in the name of this
 * gateway makes the servers behind it believe a result (RFC 8601 §5). The defence: these fields of a client are removed
 * before every transmission. Not covered: such fields in the name of another gateway, which no server should believe.
 */
import { headerSection } from './header-section.ts'

/** A field with its folded lines (RFC 5322 §2.2.3). Obsolete syntax permits spaces before the colon (§4.5). */
const field = /^([^\s:][^:\r\n]*?)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n/gm

/** Cheap: most messages have no such field. */
const mayBeForged = /^(?:x-ses-|authentication-results)/im

/**
 * @param message octets of a message
 * @param hostname the name of this gateway
 * @returns the same octets when nothing is removed
 */
export function withoutForgedFields(message: Buffer, hostname: string): Buffer {
  const section = headerSection(message)
  const header = section.toString('latin1')
  if (!mayBeForged.test(header)) return message
  const remaining = header.replace(field, (whole, name: string, value: string) =>
    isForged(name.toLowerCase(), value, hostname) ? '' : whole,
  )
  if (remaining.length === header.length) return message
  return Buffer.concat([Buffer.from(remaining, 'latin1'), message.subarray(section.length)])
}

function isForged(name: string, value: string, hostname: string): boolean {
  if (name.startsWith('x-ses-')) return true
  return name === 'authentication-results' && isInNameOf(hostname, value)
}

/** RFC 8601 §2.2: the name of the gateway comes first. Comments and quotes may surround it. */
function isInNameOf(hostname: string, value: string): boolean {
  let text = value.replace(/\r\n/g, '')
  for (let before = ''; before !== text; ) {
    before = text
    text = text.replace(/\((?:[^()\\]|\\.)*\)/g, ' ')
  }
  const [name = ''] = text.trim().split(/[\s;/]/)
  // A comment without end makes the name unreadable, and the field useless.
  return (
    text.includes('(') ||
    name.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1').toLowerCase() === hostname.toLowerCase()
  )
}
