/** Writes a notice as a mail to the administrator, followed by JSON for programs. Pure. */
import type { AcceptedCertificate, CertificateSummary } from '../../shared/contract/certificate.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import { factRows, factsSummary } from '../../shared/tls/certificate-facts-text.ts'
import { summaryText } from '../../shared/tls/certificate-summary.ts'

/** @param accepted the last certificate that the connector accepted; null when there is none */
export function formatNotice(notice: CertificateNotice, accepted: AcceptedCertificate | null): Announcement {
  const { failures: _failures, trustDigest: _digest, ...data } = notice
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

function opening(notice: CertificateNotice): string[] {
  const { connector, why, facts, presented, at, ip, senderDomain, tenant } = notice
  const rows = [
    ['Fault', why],
    ...factRows(facts, presented),
    ...(tenant === undefined ? [] : [['Tenant', tenant]]),
    ['Consequence', consequence(notice)],
    ['Presented', `${at}, from ${ip}, ${senderDomain === null ? 'no sender' : `sender of ${senderDomain}`}`],
  ]
  return [
    `Connector "${connector.name}" got a certificate that it does not know:\n${factsSummary(facts)}.`,
    rows.map(([label = '', value]) => `${label.padEnd(13)}${value}`).join('\n'),
  ]
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
  const { connector, facts, remedies, consequence } = notice
  const isPartner = connector.connectorType === 'Partner'
  const owner = isPartner ? "the partner's" : "your server's"
  return [
    ...(remedies.length === 0
      ? [`The connector cannot accept this certificate. If it is ${owner}, ask for a valid one.`]
      : [
          `First compare the SHA-256${isPartner ? ' with the partner' : ''}, by another means than mail. If it is ${owner}, make ${remedies.length === 1 ? 'this edit' : 'one of these edits, the safest first: each admits more certificates than the one before'}.`,
          ...remedies.map((remedy) => `${effectText(remedy)}:\n  ${editCommand(connector, remedy)}`),
        ]),
    ...(facts.nameInSenderDomains === false && remedies.length > 0
      ? [
          'None of its names is in the sender domains. If it is the certificate of a mail provider, the edit also admits mail of other customers of the provider.',
        ]
      : []),
    ...(consequence === 'Held' && remedies.length > 0
      ? [`Then deliver the held mail:\n  npx mailflow retry --connector ${connector.id}`]
      : []),
    `If it is not, or if you cannot tell, do not change the connector. Do not lower a requirement of the connector in either case. More: docs/runbook.md, "A partner presents an unknown certificate".`,
  ]
}

type Remedy = CertificateNotice['remedies'][number]

function effectText({ add, admits }: Remedy): string {
  const names = add.startsWith('*.') ? 'a name that the wildcard matches' : 'this name'
  switch (admits) {
    case 'ThisCertificate':
      return 'Admits only this certificate and its key, and not its renewal'
    case 'NameFromConnectorAuthority':
      return `Admits every certificate with ${names} from the connector's own authorities`
    case 'NameFromPublicRoot':
      return `Admits every certificate with ${names} under a public root, which the owner of the domain can get`
  }
}

function editCommand({ id, name }: CertificateNotice['connector'], { field, add }: Remedy): string {
  // A `?` may stand for an invisible character, and a leading hyphen would start an option.
  const connector = name.includes('?') || name.startsWith('-') ? id : name
  return `npx mailflow connectors set ${shellWord(connector)} --direction Inbound ${shellWord(`${field}+=${add}`)}`
}

/** Quotes for a POSIX shell, in which single quotes keep every character but the single quote (XCU §2.2.2). */
const shellWord = (text: string): string =>
  /^[\w.:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
