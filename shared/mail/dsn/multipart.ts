/** Builds a multipart body from parts with their encodings (RFC 2046 §5.1, RFC 6522). */
import { encode, wrap } from 'nodemailer/lib/qp'

export interface MimePart {
  type: string
  encoding: '7bit' | '8bit' | 'quoted-printable'
  /** Lines end in CRLF; a bare CR or LF is data. */
  octets: Buffer
}

/** @param boundary must be unpredictable for the authors of the parts */
export function multipart(subtype: string, boundary: string, headers: string[], parts: MimePart[]): Buffer {
  const eightBit = parts.some(({ encoding }) => encoding === '8bit')
  const header = [
    ...headers,
    'MIME-Version: 1.0',
    `Content-Type: multipart/${subtype}; boundary="${boundary}"`,
    ...(eightBit ? ['Content-Transfer-Encoding: 8bit'] : []),
    '',
    '',
  ].join('\r\n')
  return Buffer.concat([
    Buffer.from(header),
    ...parts.flatMap((part) => [
      Buffer.from(`--${boundary}\r\n${partHeader(part)}`),
      encodedBody(part),
      crlf,
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ])
}

const crlf = Buffer.from('\r\n')

const partHeader = ({ type, encoding }: MimePart): string =>
  [
    `Content-Type: ${type}`,
    ...(encoding === '7bit' ? [] : [`Content-Transfer-Encoding: ${encoding}`]),
    '',
    '',
  ].join('\r\n')

const encodedBody = ({ encoding, octets }: MimePart): Buffer =>
  encoding === 'quoted-printable' ? Buffer.from(wrap(encodeBareNewlines(encode(octets)))) : octets

/** `encode` leaves a bare CR or LF unchanged. */
const encodeBareNewlines = (text: string): string =>
  text.replace(/\r(?!\n)/g, '=0D').replace(/(?<!\r)\n/g, '=0A')

/** Returns the encoding in which the octets can stay unchanged; null when there is none (RFC 2045 §2.7, §2.8). */
export function identityEncoding(octets: Buffer): '7bit' | '8bit' | null {
  let length = 0
  let eightBit = false
  for (let index = 0; index < octets.length; index++) {
    const octet = octets[index]
    // CRLF
    if (octet === 0x0d && octets[index + 1] === 0x0a) {
      length = 0
      index++
      continue
    }
    // A bare CR, a bare LF or a NUL, or a line that is too long.
    if (octet === 0x0d || octet === 0x0a || octet === 0 || ++length > maxLineOctets) return null
    if (octet !== undefined && octet > 0x7f) eightBit = true
  }
  return eightBit ? '8bit' : '7bit'
}

/** RFC 5322 §2.1.1, without CRLF. */
const maxLineOctets = 998
