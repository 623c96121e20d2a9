/** Writes a notice as a mail to the administrator, followed by JSON for programs. Pure. */
import type { CertificateSummary } from '../../shared/contract/certificate.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import { summaryText } from '../../shared/tls/certificate-summary.ts'
import type { AcceptedCertificate } from '../../shared/transport/observed-list.ts'

/** @param accepted the last certificate that the connector accepted; null when there is none */
export function formatNotice(notice: CertificateNotice, accepted: AcceptedCertificate | null): Announcement {
  const { failures: _failures, ...data } = notice
  const paragraphs = [
    ...opening(notice),
    ...presentedParagraphs(notice.presented),
    ...acceptedParagraphs(notice.presented, accepted),
    ...instructions(notice),
    JSON.stringify({ ...data, accepted }, null, 2),
  ]
  return {
    subject: subjectOf(notice),
    text: `${paragraphs.join('\n\n')}\n`,
    attributes: { kind: notice.kind, connector: notice.connector.name },
  }
}

const maxSubjectLength = 100

function subjectOf({ connector }: CertificateNotice): string {
  const prefix = 'mailflow: unknown certificate at connector "'
  const name = connector.name.replace(/[^ -~]/g, '?')
  const maxNameLength = maxSubjectLength - prefix.length - 1
  return `${prefix}${name.length > maxNameLength ? `${name.slice(0, maxNameLength - 3)}...` : name}"`
}

const trustedText = "yes: a trusted authority issued it for a name of the connector's sender domains"
const untrustedText = 'no: anyone can create such a certificate'

function opening(notice: CertificateNotice): string[] {
  const { connector, why, vouchedFor, at, ip, senderDomain } = notice
  const lines = [
    `Fault                   ${why}`,
    `Trusted for the domain  ${vouchedFor ? trustedText : untrustedText}`,
    `Consequence             ${consequence(notice)}`,
    `Presented               ${at}, from ${ip}, ${senderDomain === null ? 'no sender' : `sender of ${senderDomain}`}`,
  ]
  return [`Connector "${connector.name}" got a certificate that it does not know.`, lines.join('\n')]
}

function consequence({ consequence, heldUntil, connector }: CertificateNotice): string {
  switch (consequence) {
    case 'RefusedInSession':
      return "the mail is refused in session; the sender's server notifies the sender"
    case 'Held':
      return `the mail is held until ${heldUntil}, and then bounced`
    case 'Bounced':
      return 'the mail is bounced'
    case 'RecordedOnly':
      return `none, because the connector is in ReportOnly mode; in Enforce mode it would ${connector.onViolation === 'Defer' ? 'hold' : 'refuse'} the mail`
    case 'RelayDenied':
      return 'the mail is treated as mail from the internet: it is accepted for accepted domains and not relayed'
  }
}

const presentedParagraphs = (presented: CertificateSummary): string[] => [
  'Presented certificate:',
  summaryText(presented),
]

function acceptedParagraphs(presented: CertificateSummary, accepted: AcceptedCertificate | null): string[] {
  if (accepted === null) return ['Last accepted certificate: none on record.']
  if (accepted.fingerprint256 === presented.fingerprint256)
    return [`The connector accepted this certificate before, last on ${accepted.lastSeen}.`]
  return [`Last accepted certificate, on ${accepted.lastSeen}:`, summaryText(accepted)]
}

function instructions(notice: CertificateNotice): string[] {
  const owner = notice.connector.connectorType === 'Partner' ? "the partner's" : "your server's"
  return [
    notice.remedies.length === 0
      ? `The connector cannot accept this certificate. If it is ${owner}, ask for a valid one.`
      : [
          `If it is ${owner}, and you have confirmed its SHA-256 by another means than mail, add to the connector`,
          `(${notice.connector.id}) ${notice.remedies.length === 1 ? 'this entry' : 'one of these entries'}:`,
          ...notice.remedies.map(({ field, add }) => `  ${field}: ${add}`),
        ].join('\n'),
    ...(notice.consequence === 'Held' && notice.remedies.length > 0
      ? [`Then deliver the held mail:\n  npx mailflow retry --connector ${notice.connector.id}`]
      : []),
    `If it is not, or if you cannot tell, do not change the connector. More: docs/runbook.md, "A partner presents an unknown certificate".`,
  ]
}
