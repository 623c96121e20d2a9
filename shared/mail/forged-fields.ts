/**
 * Removes header fields that only mailflow or Amazon SES may set. The attacks: `X-SES-CONFIGURATION-SET` selects another
 * configuration set than mailflow's, which is what makes SES require TLS; `Authentication-Results` in the name of this
 * gateway makes the servers behind it believe a result (RFC 8601 §5), as does `Received-SPF` with its name as receiver. The
 * defence: these fields of a client are removed before every transmission, however a lenient reader may find their
 * names. The work grows only with the header's size. Not covered: such fields in the name of another gateway, or of none,
 * which no server should believe: RFC 7208 §9.1 puts the receiver's own field above all others.
 */
import { fieldName, headerFields } from './header-fields.ts'
import { headerSection } from './header-section.ts'

/**
 * @param message octets of a message
 * @param hostname the name of this gateway
 * @returns the same octets when nothing is removed
 */
export function withoutForgedFields(message: Buffer, hostname: string): Buffer {
  const section = headerSection(message)
  const fields = headerFields(section.toString('latin1'))
  const remaining = fields.filter((field) => !isForged(field, hostname.toLowerCase()))
  if (remaining.length === fields.length) return message
  return Buffer.concat([Buffer.from(remaining.join(''), 'latin1'), message.subarray(section.length)])
}

function isForged(field: string, hostname: string): boolean {
  const name = fieldName(field)
  if (name?.startsWith('x-ses-')) return true
  const value = field.slice(field.indexOf(':') + 1)
  if (name === 'received-spf') return isReceivedBy(hostname, value)
  return name === 'authentication-results' && isInNameOf(hostname, value)
}

/** RFC 7208 §9.1: `receiver` names the gateway. Comments and quotes may surround it. */
function isReceivedBy(hostname: string, value: string): boolean {
  const [text, isComplete] = withoutComments(value)
  const receivers = text.toLowerCase().matchAll(/receiver=([^;]*)/g)
  return !isComplete || [...receivers].some(([, receiver]) => receiver?.replace(/\.$/, '') === hostname)
}

/** @returns the text without comments, quotes and ignorable octets, and whether each comment ends */
function withoutComments(value: string): [text: string, isComplete: boolean] {
  let depth = 0
  let text = ''
  for (let at = 0; at < value.length; at++) {
    const character = value[at] as string
    if (character === '\\') {
      at++
      if (depth === 0) text += value[at] ?? ''
    } else if (character === '(') depth++
    else if (character === ')') depth = Math.max(0, depth - 1)
    else if (depth === 0 && /[\x21\x23-\x7e]/.test(character)) text += character
  }
  return [text, depth === 0]
}

/**
 * RFC 8601 §2.2: the name of the gateway comes first. Comments and quotes may surround it, and a reader may ignore a dot
 * at its end.
 */
function isInNameOf(hostname: string, value: string): boolean {
  let depth = 0
  let name = ''
  for (let at = 0; at < value.length; at++) {
    const character = value[at] as string
    if (character === '\\') {
      at++
      if (depth === 0) name += value[at] ?? ''
    } else if (character === '(') depth++
    else if (character === ')') depth = Math.max(0, depth - 1)
    else if (depth > 0 || character === '"') continue
    else if (/[^\x21-\x7e]/.test(character)) {
      if (name !== '') break
    } else if (character === ';' || character === '/') break
    else name += character
  }
  // A comment without end makes the name unreadable, and the field useless.
  return depth > 0 || name.toLowerCase().replace(/\.$/, '') === hostname
}
