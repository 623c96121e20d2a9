/**
 * Finds the report in a mail (RFC 8460 §5.3). The attacks: a compression bomb, deep nesting, an endless header, a
 * million lines, and ten such mails at once. The MIME parser makes an object of each line. The defence: each step has a
 * limit beyond which the mail is no report, and mails are parsed one at a time.
 */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import PostalMime, { type Attachment, type Email } from 'postal-mime'
import { errorMessage } from '../contract/error-message.ts'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { type ReportContent, readReport } from './received-report.ts'

export type ReadResult = { kind: 'Report'; content: ReportContent } | { kind: 'NoReport'; why: string }

/**
 * Octets of a mail with a report. Parsing delays other deliveries. RFC 8460 §5.2 mentions ten megabytes as a usual
 * limit; compressed, such a report is far smaller.
 */
const maxMailOctets = 4_194_304
/** Octets. */
const maxOctets = { json: 4_194_304, headers: 262_144 }
/** More than the largest mail has in base64 with 76 characters a line (RFC 2045 §6.8). */
const maxLines = 65_536

const compressed = new Set(['application/tlsrpt+gzip', 'application/gzip', 'application/x-gzip'])
const plain = new Set(['application/tlsrpt+json', 'application/json'])

/** @returns why the mail must not be parsed, or null */
export function excessReason(mail: Buffer): string | null {
  if (mail.length > maxMailOctets) return `it is larger than ${maxMailOctets} octets`
  let lines = 0
  for (let at = mail.indexOf(10); at >= 0 && lines <= maxLines; at = mail.indexOf(10, at + 1)) lines += 1
  return lines > maxLines ? `it has more than ${maxLines} lines` : null
}

/** @param mail the message's octets */
export async function readReportMail(mail: Buffer): Promise<ReadResult> {
  const excess = excessReason(mail)
  return excess === null ? parseExclusive(() => parseMail(mail)) : noReport(excess)
}

const parseExclusive = concurrencyLimiter(1)

async function parseMail(mail: Buffer): Promise<ReadResult> {
  let email: Email
  try {
    email = await PostalMime.parse(mail, {
      maxNestingDepth: 10,
      maxHeadersSize: maxOctets.headers,
      maxRfc822NestingDepth: 0,
    })
  } catch (error) {
    return noReport(`it is not valid MIME: ${errorMessage(error)}`)
  }
  const part = reportPart(email)
  if (part === undefined)
    return noReport('it has no part of type application/tlsrpt+gzip or application/tlsrpt+json')
  return readPart(part)
}

/** Generic media types count only in a mail that is marked as a report. */
function reportPart({ attachments, headers }: Email): Attachment | undefined {
  const own = attachments.find(({ mimeType }) => /^application\/tlsrpt\+(gzip|json)$/.test(mimeType))
  if (own || !headers.some(({ key }) => key === 'tls-report-domain')) return own
  return attachments.find(({ mimeType }) => compressed.has(mimeType) || plain.has(mimeType))
}

async function readPart({ mimeType, content }: Attachment): Promise<ReadResult> {
  const octets = Buffer.from(content as ArrayBuffer)
  let json: unknown
  try {
    const text = compressed.has(mimeType)
      ? await promisify(gunzip)(octets, { maxOutputLength: maxOctets.json })
      : octets
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch (error) {
    return noReport(`its report cannot be unpacked: ${errorMessage(error)}`)
  }
  const read = readReport(json)
  return typeof read === 'string'
    ? noReport(`its report is not valid: ${read}`)
    : { kind: 'Report', content: read }
}

const noReport = (why: string): ReadResult => ({ kind: 'NoReport', why: toSingleLine(why, 200) })
