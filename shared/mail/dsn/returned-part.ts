/**
 * The part that returns the message: its headers, or the whole message if the policy allows that and the DSN can
 * contain the message. message/rfc822 must not be encoded (RFC 2046 §5.2.1). A server without 8BITMIME rejects an
 * eight-bit DSN, which is then lost without a notice. So only a seven-bit message is returned whole. The exception is a
 * sender whose address needs SMTPUTF8 and therefore 8BITMIME (RFC 6531 §3.1): an eight-bit message may be returned
 * whole to such a sender.
 */
import { isUtf8 } from 'node:buffer'
import { headerSection } from '../header-section.ts'
import { identityEncoding, type MimePart } from './multipart.ts'
import type { AddressForm } from './recipients.ts'

export interface OriginalContent {
  /** `Message`: the whole message. */
  kind: 'Headers' | 'Message'
  octets: Buffer
  /** Whether the header fields of the message are internationalised (RFC 6531). */
  smtpUtf8: boolean
}

export function returnedPart(original: OriginalContent, form: AddressForm): MimePart {
  const { kind, octets } = original
  const wholePart = kind === 'Message' ? wholeMessagePart(original, form) : null
  return (
    wholePart ??
    headersPart({ ...original, octets: kind === 'Message' ? headerSection(octets) : octets }, form)
  )
}

function wholeMessagePart({ octets, smtpUtf8 }: OriginalContent, form: AddressForm): MimePart | null {
  const encoding = identityEncoding(octets)
  if (encoding === '7bit') return { type: 'message/rfc822', encoding, octets }
  return encoding === '8bit' && form === 'Utf8' && isUtf8(headerSection(octets))
    ? { type: smtpUtf8 ? 'message/global' : 'message/rfc822', encoding, octets }
    : null
}

/** RFC 6522 §4 allows quoted-printable for eight-bit headers; RFC 6533 §4.3 has a type for headers in UTF-8. */
function headersPart({ octets, smtpUtf8 }: OriginalContent, form: AddressForm): MimePart {
  const encoding = identityEncoding(octets)
  if (encoding === '7bit') return { type: 'text/rfc822-headers', encoding, octets }
  if (!isUtf8(octets))
    return { type: 'text/rfc822-headers; charset=unknown-8bit', encoding: 'quoted-printable', octets }
  if (!smtpUtf8) return { type: 'text/rfc822-headers; charset=utf-8', encoding: 'quoted-printable', octets }
  const isEightBit = form === 'Utf8' && encoding === '8bit'
  return { type: 'message/global-headers', encoding: isEightBit ? '8bit' : 'quoted-printable', octets }
}
