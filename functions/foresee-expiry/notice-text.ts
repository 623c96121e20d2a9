/** A notice that a certificate expires, as the administrator reads it in a mail, and below it as a program does. Pure. */
import { visible } from '../../shared/mail/peer-words.ts'
import type { Consequence, ExpiryNotice } from '../../shared/policy/foresight.ts'
import { counted, firstOf } from '../../shared/policy/words.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import { summaryText } from '../../shared/tls/certificate-summary.ts'

export function announce(given: ExpiryNotice): Announcement {
  const notice = withVisibleNames(given)
  const { connector } = notice
  const paragraphs = [
    opening(notice),
    facts(notice),
    summaryText(notice.certificate),
    newer(notice),
    whatToDo(notice),
    JSON.stringify(
      { kind: 'CertificateExpires', ...notice, hosts: notice.hosts.slice(0, mostHosts) },
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
  connector: connector && { ...connector, name: visible(connector.name) },
  hosts: hosts.map(visible),
  newer: newer && { ...newer, host: visible(newer.host) },
})

const mostInSubject = 100
const mostHosts = 20

/** What is to come stands first in a narrow list of mails. */
function subjectOf(notice: ExpiryNotice): string {
  const { connector, hosts, daysLeft } = notice
  const whose = connector === null ? `our ${hosts[0]}` : `connector "${connector.name}"`
  const subject = `mailflow: ${daysLeft < 0 ? 'EXPIRED' : `${counted(daysLeft, 'day')} left`}: certificate of ${whose}`
  const plain = subject.replace(/[^ -~]/g, '?')
  return plain.length > mostInSubject ? `${plain.slice(0, mostInSubject - 3)}...` : plain
}

function opening({ observedAs, connector, certificate, daysLeft }: ExpiryNotice): string {
  const when =
    daysLeft < 0
      ? `expired on ${certificate.notAfter}`
      : `expires in ${counted(daysLeft, 'day')}, on ${certificate.notAfter}`
  const name = connector === null ? '' : `"${connector.name}"`
  switch (observedAs) {
    case 'Own':
      return connector === null
        ? `The certificate that our own ingress shows ${when}.`
        : `Our certificate for next hops of connector ${name} ${when}.`
    case 'PartnerServer':
      return `A certificate that a next hop of connector ${name} shows ${when}.`
    case 'PartnerClient':
      return `A certificate by which connector ${name} knows a sender ${when}.`
  }
}

const facts = (notice: ExpiryNotice): string =>
  [
    `Seen at       ${firstOf(notice.hosts, mostHosts)}, last ${notice.certificate.lastSeen}`,
    `From then on  ${consequences[notice.consequence]}`,
  ].join('\n')

const consequences: Readonly<Record<Consequence, string>> = {
  SendersDistrust: 'senders that verify our certificate hold or return their mail to us',
  MailWaits: 'mail by the connector waits, and returns to its senders when it has waited for too long',
  MailReturns: 'mail by the connector returns to its senders at once',
  MailHeld: "the partner's mail is held, and returns to its senders when it was held for too long",
  MailRefused: "the partner's mail is refused",
  RelayDenied: "its mail is taken as a stranger's: for our own domains only, nothing is relayed",
  AsTlsaSays:
    "what the host's TLSA records say: where they name its issuer, mail waits; where they name the certificate or its key, nothing changes",
  RecordedOnly: 'nothing stops, since the connector only reports; enforced, it would',
  Nothing: 'nothing stops: nobody demands that it is verified',
}

const newer = ({ newer, observedAs, connector }: ExpiryNotice): string =>
  newer === null
    ? `No newer one was seen${observedAs === 'Own' && connector === null ? ', and none is prepared to be served in time' : ''}.`
    : `A newer one was seen, valid until ${newer.notAfter}: ${newer.fingerprint256}, at ${newer.host} since ${newer.firstSeen}. ` +
      `This one is still shown, too: perhaps by another server of the same name.`

function whatToDo({ observedAs, connector, hosts }: ExpiryNotice): string {
  const heading = observedAs === 'Own' ? 'A certificate of ours expires' : "A partner's certificate expires"
  const more = `More: docs/runbook.md, "${heading}".`
  if (observedAs === 'Own') {
    const how =
      connector === null
        ? 'Renew it: put the new one into the secret of the ingress.'
        : `Renew it: put the new one, with its key, into the secret ${hosts[0]}. It is taken up within minutes, and seen when mail next leaves by the connector.`
    return `${how} ${more}`
  }
  if (connector?.connectorType === 'OnPremises') return `It is your own server's: renew it there. ${more}`
  const pinned =
    observedAs === 'PartnerClient'
      ? ' If the connector knows it by its fingerprint, ask for that of the new one, too.'
      : ''
  return `Ask the partner whether it has renewed it.${pinned} ${more}`
}
