/**
 * Finds the report in a mail (RFC 8460 §5.3). The attack: a few octets that unfold into gigabytes, parts within parts,
 * a header without end. The defence: every step has a limit, and what exceeds one is no report.
 */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import PostalMime, { type Attachment, type Email } from 'postal-mime'
import { inOneLine } from '../mail/peer-words.ts'
import { type ReportContent, readReport } from './received-report.ts'

export type Reading = { kind: 'Report'; content: ReportContent } | { kind: 'NoReport'; why: string }

/**
 * Octets that a mail with a report may have: while one is taken apart, other deliveries wait. Compressed, a report of the
 * ten megabytes that RFC 8460 §5.2 knows as a usual limit is well below.
 */
export const largestMail = 4_194_304
/** Octets. */
const most = { json: 10_485_760, headers: 262_144 }

const compressed = new Set(['application/tlsrpt+gzip', 'application/gzip', 'application/x-gzip'])
const plain = new Set(['application/tlsrpt+json', 'application/json'])

/** @param mail the message's octets */
export async function readReportMail(mail: Buffer): Promise<Reading> {
  if (mail.length > largestMail) return noReport(`it is larger than ${largestMail} octets`)
  let email: Email
  try {
    email = await PostalMime.parse(mail, {
      maxNestingDepth: 10,
      maxHeadersSize: most.headers,
      maxRfc822NestingDepth: 0,
    })
  } catch (error) {
    return noReport(`it cannot be read as MIME: ${messageOf(error)}`)
  }
  const part = reportPart(email)
  if (part === undefined) return noReport('it has no part application/tlsrpt+gzip or application/tlsrpt+json')
  return readPart(part)
}

/** Media types that anybody uses count only in a mail that says what it is. */
function reportPart({ attachments, headers }: Email): Attachment | undefined {
  const own = attachments.find(({ mimeType }) => /^application\/tlsrpt\+(gzip|json)$/.test(mimeType))
  if (own || !headers.some(({ key }) => key === 'tls-report-domain')) return own
  return attachments.find(({ mimeType }) => compressed.has(mimeType) || plain.has(mimeType))
}

async function readPart({ mimeType, content }: Attachment): Promise<Reading> {
  const octets = Buffer.from(content as ArrayBuffer)
  let json: unknown
  try {
    const text = compressed.has(mimeType)
      ? await promisify(gunzip)(octets, { maxOutputLength: most.json })
      : octets
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch (error) {
    return noReport(`its report cannot be unpacked: ${messageOf(error)}`)
  }
  const read = readReport(json)
  return typeof read === 'string'
    ? noReport(`its report is not valid: ${read}`)
    : { kind: 'Report', content: read }
}

const noReport = (why: string): Reading => ({ kind: 'NoReport', why: inOneLine(why, 200) })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
