/** A notice that a certificate expires: human-readable text for the administrator, followed by JSON. Pure. */
import { replaceInvisible } from '../../shared/mail/peer-text.ts'
import type { Consequence, ExpiryNotice } from '../../shared/policy/certificate-expiry.ts'
import { countText, firstNames } from '../../shared/policy/text-lists.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import { summaryText } from '../../shared/tls/certificate-summary.ts'

export function expiryAnnouncement(original: ExpiryNotice): Announcement {
  const notice = withVisibleNames(original)
  const { connector } = notice
  const paragraphs = [
    openingText(notice),
    factsText(notice),
    summaryText(notice.certificate),
    newerText(notice),
    instructions(notice),
    JSON.stringify(
      { kind: 'CertificateExpires', ...notice, hosts: notice.hosts.slice(0, maxHosts) },
      null,
      2,
    ),
  ]
  return {
    subject: subjectOf(notice),
    text: `${paragraphs.join('\n\n')}\n`,
    attributes: { kind: 'CertificateExpires', ...(connector && { connector: connector.name }) },
  }
}

const withVisibleNames = ({ connector, hosts, newer, ...rest }: ExpiryNotice): ExpiryNotice => ({
  ...rest,
  connector: connector && { ...connector, name: replaceInvisible(connector.name) },
  hosts: hosts.map(replaceInvisible),
  newer: newer && { ...newer, host: replaceInvisible(newer.host) },
})

const maxSubjectLength = 100
const maxHosts = 20

/** The days left come first, because mail clients cut long subjects. */
function subjectOf(notice: ExpiryNotice): string {
  const { connector, hosts, daysLeft } = notice
  const owner = connector === null ? `ingress ${hosts[0]}` : `connector "${connector.name}"`
  const subject = `mailflow: ${daysLeft < 0 ? 'EXPIRED' : `${countText(daysLeft, 'day')} left`}: certificate of ${owner}`
  const ascii = subject.replace(/[^ -~]/g, '?')
  return ascii.length > maxSubjectLength ? `${ascii.slice(0, maxSubjectLength - 3)}...` : ascii
}

function openingText({ observedAs, connector, certificate, daysLeft }: ExpiryNotice): string {
  const when =
    daysLeft < 0
      ? `expired on ${certificate.notAfter}`
      : `expires in ${countText(daysLeft, 'day')}, on ${certificate.notAfter}`
  const name = connector === null ? '' : `"${connector.name}"`
  switch (observedAs) {
    case 'Own':
      return connector === null
        ? `The certificate of the ingress ${when}.`
        : `mailflow's client certificate for connector ${name} ${when}.`
    case 'PartnerServer':
      return `A certificate that a next hop of connector ${name} presents ${when}.`
    case 'PartnerClient':
      return `A certificate by which connector ${name} identifies a sender ${when}.`
  }
}

const factsText = (notice: ExpiryNotice): string =>
  [
    `Observed at   ${firstNames(notice.hosts, maxHosts)}, last ${notice.certificate.lastSeen}`,
    `Consequence   ${consequenceTexts[notice.consequence]}`,
  ].join('\n')

const consequenceTexts: Readonly<Record<Consequence, string>> = {
  SendersDistrust: "senders that verify the ingress's certificate defer or bounce their mail",
  MailWaits: 'mail through the connector is deferred, and bounces when it is too old',
  MailReturns: 'mail through the connector bounces immediately',
  MailHeld: "the partner's mail is held, and bounces when it is too old",
  MailRefused: "the partner's mail is refused",
  RelayDenied: "the server's mail is accepted for accepted domains only, and is not relayed",
  AsTlsaSays:
    "depends on the host's TLSA records: if they name the issuer, mail is deferred; if they name the certificate or its key, nothing changes",
  RecordedOnly: 'no mail stops, because the connector is report only; if it were enforced, mail would stop',
  Nothing: 'no mail stops: verification of this certificate is not required',
}

const newerText = ({ newer, observedAs, connector }: ExpiryNotice): string =>
  newer === null
    ? `No newer certificate was observed${observedAs === 'Own' && connector === null ? ', and none is scheduled to be served in time' : ''}.`
    : `A newer certificate was observed, valid until ${newer.notAfter}: ${newer.fingerprint256}, at ${newer.host} since ${newer.firstSeen}. ` +
      `The expiring certificate is also still presented, perhaps by another server of the same name.`

function instructions({ observedAs, connector, hosts }: ExpiryNotice): string {
  const heading =
    observedAs === 'Own' ? 'An ingress or client certificate expires' : "A partner's certificate expires"
  const reference = `More: docs/runbook.md, "${heading}".`
  if (observedAs === 'Own') {
    const renewal =
      connector === null
        ? 'Renew it: put the new certificate into the secret of the ingress.'
        : `Renew it: put the new certificate, with its key, into the secret ${hosts[0]}. It is used within minutes, and observed when the connector next sends mail.`
    return `${renewal} ${reference}`
  }
  if (connector?.connectorType === 'OnPremises')
    return `It belongs to your own server: renew it there. ${reference}`
  const pinned =
    observedAs === 'PartnerClient'
      ? ' If the connector pins its fingerprint, also ask for the new fingerprint.'
      : ''
  return `Ask the partner whether it has renewed it.${pinned} ${reference}`
}
