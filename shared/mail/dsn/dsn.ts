/**
 * Builds delivery status notifications (RFC 3464 in a multipart/report, RFC 6522). The risks: a DSN about a DSN loops,
 * and a quoted message discloses content that forced TLS protected. The defence: a message with a null reverse path
 * gets no DSN, and a DSN returns only headers unless the policy allows the whole message.
 */
import { createHash } from 'node:crypto'
import type { BounceJob } from '../../contract/jobs.ts'
import { deliveryStatus } from './delivery-status.ts'
import { dsnText, subjects } from './dsn-text.ts'
import { isAscii, mailDate, toOneLine } from './field-text.ts'
import { identityEncoding, type MimePart, multipart } from './multipart.ts'
import type { AddressForm } from './recipients.ts'
import { type OriginalContent, returnedPart } from './returned-part.ts'

export interface Dsn {
  id: string
  headerMessageId: string
  octets: Buffer
  /** Whether the DSN needs SMTPUTF8 (RFC 6531). */
  smtpUtf8: boolean
  eightBit: boolean
}

/**
 * @param hostname the reporting MTA
 * @param original the original message or its headers; null when its content is deleted
 * @param listed the number of recipients that the DSN names; it states the number of the others
 * @throws Error for a message from `<>`
 */
export function buildDsn(
  job: BounceJob,
  hostname: string,
  original: Omit<OriginalContent, 'smtpUtf8'> | null,
  listed = job.recipients.length,
): Dsn {
  const { mailFrom, smtpUtf8 } = job.message.envelope
  if (mailFrom === '') throw new Error(`no DSN can be built for ${job.message.id}: it is from <>`)
  const id = dsnId(job)
  const headerMessageId = `<${id}@${hostname}>`
  // A non-ASCII sender can only be reached with SMTPUTF8. An ASCII sender may use a server without SMTPUTF8.
  const addressForm: AddressForm = isAscii(mailFrom) ? 'Ascii' : 'Utf8'
  const headers = [
    `From: Mail Delivery System <postmaster@${hostname}>`,
    `To: <${toOneLine(mailFrom)}>`,
    `Subject: ${subjects[job.kind]}`,
    `Date: ${mailDate(job.at)}`,
    `Message-ID: ${headerMessageId}`,
    // RFC 3834 §5
    'Auto-Submitted: auto-replied',
  ]
  const shortened = { ...job, recipients: job.recipients.slice(0, listed) }
  const parts = [
    textPart(dsnText(shortened, hostname, job.recipients.length - listed)),
    statusPart(deliveryStatus(shortened, hostname, addressForm), addressForm),
    ...(original === null ? [] : [returnedPart({ ...original, smtpUtf8 }, addressForm)]),
  ]
  const octets = multipart('report; report-type=delivery-status', `=_${id}`, headers, parts)
  return {
    id,
    headerMessageId,
    octets,
    smtpUtf8: addressForm === 'Utf8',
    eightBit: parts.some(({ encoding }) => encoding === '8bit'),
  }
}

const textPart = (text: string): MimePart => ({
  type: 'text/plain; charset=utf-8',
  encoding: 'quoted-printable',
  octets: Buffer.from(text),
})

/** RFC 6533 §4.4: the traditional type for content that is only ASCII. */
function statusPart(text: string, addressForm: AddressForm): MimePart {
  const octets = Buffer.from(text)
  const encoding = identityEncoding(octets) ?? 'quoted-printable'
  const isGlobal = addressForm === 'Utf8' && encoding !== '7bit'
  return { type: isGlobal ? 'message/global-delivery-status' : 'message/delivery-status', encoding, octets }
}

/**
 * Derives the DSN's message id from the original message, the kind and the recipients. So a DSN that is built twice is
 * one message, and its delivery is claimed once. The first ten characters are the time in the original message's ULID.
 */
export function dsnId({ message, kind, recipients }: BounceJob): string {
  const addresses = recipients.map(({ recipient }) => recipient.address).sort()
  const digest = createHash('sha256')
    .update(JSON.stringify([message.id, kind, addresses]))
    .digest()
  const suffix = Array.from(digest.subarray(0, 16), (octet) => crockfordAlphabet[octet & 31]).join('')
  return message.id.slice(0, 10) + suffix
}

const crockfordAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
