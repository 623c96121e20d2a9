/**
 * Finds the report in a message (RFC 8460 §5.3). The attacks: a compression bomb; deep nesting; an endless header; a
 * million lines (the MIME parser allocates an object for each); ten such messages at the same time. The defence: each
 * step has a limit, a message beyond a limit is no report, and messages are parsed one after another.
 */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Attachment, Email } from 'postal-mime'
import { errorMessage } from '../contract/error-message.ts'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { type ReportContent, readReport } from './received-report.ts'

export type ReadResult = { kind: 'Report'; content: ReportContent } | { kind: 'NoReport'; reason: string }

/**
 * Limit for a message with a report, because parsing delays other deliveries. RFC 8460 §5.2 mentions ten megabytes as a
 * usual limit; a compressed report is far smaller.
 */
const maxMailOctets = 4_194_304
const maxOctets = { json: 4_194_304, headers: 262_144 }
/** More lines than the largest message has in base64 with 76 characters per line (RFC 2045 §6.8). */
const maxLines = 65_536

const compressedTypes = new Set(['application/tlsrpt+gzip', 'application/gzip', 'application/x-gzip'])
const plainTypes = new Set(['application/tlsrpt+json', 'application/json'])

const lineFeed = 0x0a

/** @returns why the message must not be parsed; null when it may be parsed */
export function excessReason(mail: Buffer): string | null {
  if (mail.length > maxMailOctets) return `it is larger than ${maxMailOctets} octets`
  let lines = 0
  for (let at = mail.indexOf(lineFeed); at >= 0 && lines <= maxLines; at = mail.indexOf(lineFeed, at + 1))
    lines += 1
  return lines > maxLines ? `it has more than ${maxLines} lines` : null
}

/** @param mail the message's octets */
export async function readReportMail(mail: Buffer): Promise<ReadResult> {
  const excess = excessReason(mail)
  return excess === null ? parseExclusive(() => parseMail(mail)) : noReport(excess)
}

const parseExclusive = concurrencyLimiter(1)

async function parseMail(mail: Buffer): Promise<ReadResult> {
  // Loaded on first use: most cold starts handle no report.
  const { default: PostalMime } = await import('postal-mime')
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

/** Generic media types are accepted only in a message that is marked as a report. */
function reportPart({ attachments, headers }: Email): Attachment | undefined {
  const tlsrptPart = attachments.find(({ mimeType }) => /^application\/tlsrpt\+(gzip|json)$/.test(mimeType))
  if (tlsrptPart || !headers.some(({ key }) => key === 'tls-report-domain')) return tlsrptPart
  return attachments.find(({ mimeType }) => compressedTypes.has(mimeType) || plainTypes.has(mimeType))
}

async function readPart({ mimeType, content }: Attachment): Promise<ReadResult> {
  const octets = Buffer.from(content as ArrayBuffer)
  let json: unknown
  try {
    const text = compressedTypes.has(mimeType)
      ? await promisify(gunzip)(octets, { maxOutputLength: maxOctets.json })
      : octets
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch (error) {
    return noReport(`its report cannot be unpacked: ${errorMessage(error)}`)
  }
  const report = readReport(json)
  return typeof report === 'string'
    ? noReport(`its report is not valid: ${report}`)
    : { kind: 'Report', content: report }
}

const noReport = (why: string): ReadResult => ({ kind: 'NoReport', reason: toSingleLine(why, 200) })
