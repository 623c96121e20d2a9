/**
 * Builds the message with a report (RFC 8460 §5.3): multipart/report with the compressed report, signed by DKIM if
 * there is a key. The message requests delivery in spite of TLS faults, because the report may be about them (§3). A
 * header field marks the message as automatic, so that no automatic reply is sent.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { dkimSignature } from '../authentication/dkim-signature.ts'
import type { SigningKey } from '../net/signing-key.ts'
import type { Reporter, TlsReport } from './report.ts'

/** Includes the fields that RFC 8460 §5.3 requires. `Date` and `Message-ID` are left out, because SES replaces them. */
const signedFields = [
  'From',
  'To',
  'Subject',
  'MIME-Version',
  'Content-Type',
  'Auto-Submitted',
  'TLS-Required',
  'TLS-Report-Domain',
  'TLS-Report-Submitter',
]

/** The report in gzip form, for mail and HTTPS. */
export const compressReport = (report: TlsReport): Promise<Buffer> => promisify(gzip)(report.json)

/** Returns the field `Message-ID` of a report. */
export const reportMessageId = (id: string, { domain }: Pick<Reporter, 'domain'>): string =>
  `<${id}@${domain}>`

/**
 * @param id the local part of `Message-ID`, also the MIME boundary
 * @param to one mailbox
 * @throws Error if the key cannot sign
 */
export async function buildReportMessage(
  report: TlsReport,
  { id, to, at }: { id: string; to: string; at: Date },
  reporter: Reporter,
  key: SigningKey | null,
): Promise<Buffer> {
  const { domain, day, filename } = report
  // Loaded on first use: many reports are sent by HTTPS.
  const { default: MimeNode } = await import('nodemailer/lib/mime-node')
  const mail = new MimeNode('multipart/report; report-type=tlsrpt', { baseBoundary: id, newline: '\r\n' })
  mail.setHeader({
    from: { name: '', address: reporter.address },
    to: { name: '', address: to },
    subject: `Report Domain: ${domain} Submitter: ${reporter.domain} Report-ID: <${report.id}>`,
    date: at.toUTCString().replace('GMT', '+0000'),
    'message-id': reportMessageId(id, reporter),
    // RFC 3834 §5
    'auto-submitted': 'auto-generated',
    // RFC 8689 §3
    'tls-required': 'No',
    'tls-report-domain': domain,
    'tls-report-submitter': reporter.domain,
  })
  mail.createChild('text/plain; charset=utf-8').setContent(textPart(domain, day, reporter))
  mail
    .createChild('application/tlsrpt+gzip', { filename })
    .setHeader('content-transfer-encoding', 'base64')
    .setContent(await compressReport(report))
  const octets = await mail.build()
  return key === null ? octets : Buffer.concat([await dkimSignature(octets, key, signedFields, at), octets])
}

function textPart(domain: string, day: string, { organisation, domain: submitter }: Reporter): string {
  return [
    'This is a report on TLS in SMTP sessions with your mail servers.',
    'It is meant for programs: see RFC 8460.',
    '',
    `Domain: ${domain}`,
    `Day:    ${day} (UTC)`,
    `From:   ${organisation} (${submitter})`,
    '',
    'This TXT record requests the report:',
    `_smtp._tls.${domain}`,
    '',
  ].join('\r\n')
}
