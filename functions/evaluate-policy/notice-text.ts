/** A notice as the administrator reads it in a mail, and below it as a program does. Pure. */
import type { CertificateSummary } from '../../shared/contract/certificate.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import { summaryText } from '../../shared/tls/certificate-summary.ts'
import type { AcceptedCertificate } from '../../shared/transport/observed-list.ts'

/** @param accepted the connector's last one, if any is remembered */
export function announce(notice: CertificateNotice, accepted: AcceptedCertificate | null): Announcement {
  const { failures: _failures, ...said } = notice
  const paragraphs = [
    ...opening(notice),
    ...presentedNow(notice.presented),
    ...acceptedBefore(notice.presented, accepted),
    ...whatToDo(notice),
    JSON.stringify({ ...said, accepted }, null, 2),
  ]
  return {
    subject: subjectOf(notice),
    text: `${paragraphs.join('\n\n')}\n`,
    attributes: { kind: notice.kind, connector: notice.connector.name },
  }
}

const mostInSubject = 100

function subjectOf({ connector }: CertificateNotice): string {
  const before = 'mailflow: unknown certificate at connector "'
  const name = connector.name.replace(/[^ -~]/g, '?')
  const room = mostInSubject - before.length - 1
  return `${before}${name.length > room ? `${name.slice(0, room - 3)}...` : name}"`
}

const vouched = "yes: a trusted authority issued it for a name of the connector's sender domains"
const notVouched = 'no: a stranger can have one like it'

function opening(notice: CertificateNotice): string[] {
  const { connector, why, vouchedFor, at, ip, senderDomain } = notice
  const lines = [
    `Wrong with it  ${why}`,
    `Vouched for    ${vouchedFor ? vouched : notVouched}`,
    `What happens   ${consequence(notice)}`,
    `Seen           ${at}, from ${ip}, ${senderDomain === null ? 'no sender' : `sender of ${senderDomain}`}`,
  ]
  return [`Connector "${connector.name}" was shown a certificate that it does not know.`, lines.join('\n')]
}

function consequence({ consequence, heldUntil, connector }: CertificateNotice): string {
  switch (consequence) {
    case 'RefusedInSession':
      return "the mail is refused in session; the sender's own server says so to the sender"
    case 'Held':
      return `the mail is held until ${heldUntil}, and then bounced`
    case 'Bounced':
      return 'the mail is bounced'
    case 'RecordedOnly':
      return `nothing, since the connector only reports; enforced, it would ${connector.onViolation === 'Defer' ? 'hold' : 'refuse'} the mail`
    case 'RelayDenied':
      return "the mail is taken as a stranger's: for our own domains only, nothing is relayed"
  }
}

const presentedNow = (presented: CertificateSummary): string[] => ['Presented now:', summaryText(presented)]

function acceptedBefore(presented: CertificateSummary, accepted: AcceptedCertificate | null): string[] {
  if (accepted === null) return ['Accepted until now: none that is remembered.']
  if (accepted.fingerprint256 === presented.fingerprint256)
    return [`It is the one that was accepted until now, last on ${accepted.lastSeen}.`]
  return [`Accepted until now, last seen ${accepted.lastSeen}:`, summaryText(accepted)]
}

function whatToDo(notice: CertificateNotice): string[] {
  const whose = notice.connector.connectorType === 'Partner' ? "the partner's" : "your own server's"
  return [
    notice.remedies.length === 0
      ? `It cannot be accepted, whoever's it is. If it is ${whose}, a valid one has to take its place.`
      : [
          `If it is ${whose}, and its SHA-256 is the one you were told by another way than mail, add to the connector`,
          `(${notice.connector.id}) ${notice.remedies.length === 1 ? 'this' : 'one of these; each is enough'}:`,
          ...notice.remedies.map(({ field, add }) => `  ${field}: ${add}`),
        ].join('\n'),
    ...(notice.consequence === 'Held' && notice.remedies.length > 0
      ? [`Then let what is held go:\n  npx mailflow retry --connector ${notice.connector.id}`]
      : []),
    `If it is not, or you cannot tell, leave the connector as it is. More: docs/runbook.md, "A partner presents an unknown certificate".`,
  ]
}
