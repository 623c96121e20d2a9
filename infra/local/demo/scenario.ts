/** What the demo sets up through the API and sends by SMTP: one message for each kind of decision. */
import type { LocalAuthority } from '../certificates.ts'
import type { ApiClient } from './api-client.ts'
import { mailboxName } from './partners.ts'

export const ourDomain = 'ours.example'

export interface Step {
  readonly from: string
  readonly to: string
  /** How the client speaks: in the clear, over TLS, or over TLS with our mailbox server's certificate. */
  readonly as: 'Plain' | 'Tls' | 'OurServer'
  /** What the demo shows with it. */
  readonly shows: string
  /** The connector that refuses it in session: what is never taken in leaves no trace to read that from. */
  readonly refusedBy?: string
}

export const steps: readonly Step[] = [
  {
    from: 'bob@paper.example',
    to: 'ann@ours.example',
    as: 'Plain',
    shows: 'nobody demands TLS of paper.example, so its mail is taken in the clear',
  },
  {
    from: 'teller@bank.example',
    to: 'ann@ours.example',
    as: 'Tls',
    shows: 'the bank must use TLS, and does',
  },
  {
    from: 'teller@bank.example',
    to: 'ann@ours.example',
    as: 'Plain',
    shows: 'the bank must use TLS; this is somebody who does not',
    refusedBy: 'From the bank',
  },
  {
    from: 'ann@ours.example',
    to: 'bob@paper.example',
    as: 'OurServer',
    shows: 'opportunistic: their server knows no TLS, so it goes in the clear',
  },
  {
    from: 'ann@ours.example',
    to: 'eve@workshop.example',
    as: 'OurServer',
    shows: 'opportunistic: their certificate is self-signed, encryption is still better than none',
  },
  {
    from: 'ann@ours.example',
    to: 'fay@archive.example',
    as: 'OurServer',
    shows: 'no connector, but their zone is signed and names this certificate (DANE), so only it will do',
  },
  {
    from: 'ann@ours.example',
    to: 'max@museum.example',
    as: 'OurServer',
    shows: 'DANE again: the certificate shown is not the one their zone names, so the message waits',
  },
  {
    from: 'ann@ours.example',
    to: 'teller@bank.example',
    as: 'OurServer',
    shows: 'forced TLS: their certificate is checked against the agreed authority and name',
  },
  {
    from: 'ann@ours.example',
    to: 'dr@clinic.example',
    as: 'OurServer',
    shows: 'forced TLS: their server offers none, so the message waits rather than go in the clear',
  },
  {
    from: 'ann@ours.example',
    to: 'guard@vault.example',
    as: 'OurServer',
    shows: 'forced TLS: their certificate is not the agreed one, and this connector does not wait',
  },
]

/** Sets an empty state up; one that holds anything is the administrator's own. @returns whether it was empty */
export async function seed(api: ApiClient, authority: LocalAuthority): Promise<boolean> {
  if (!(await api.isEmpty())) return false
  const certificateAuthorities = [authority.certificate]
  await api.put(`/accepted-domains/${ourDomain}`, {})
  for (const connector of inboundConnectors(certificateAuthorities))
    await api.post('/inbound-connectors', connector)
  for (const connector of outboundConnectors(certificateAuthorities))
    await api.post('/outbound-connectors', connector)
  return true
}

function inboundConnectors(certificateAuthorities: readonly string[]) {
  return [
    {
      name: 'Our server',
      connectorType: 'OnPremises',
      senderDomains: [ourDomain],
      tlsSenderCertificateNames: [mailboxName],
      certificateAuthorities,
      comment: 'Whoever shows this certificate is our own mail server and may send anywhere.',
    },
    {
      name: 'From the bank',
      connectorType: 'Partner',
      senderDomains: ['bank.example'],
      requireTls: true,
    },
  ]
}

function outboundConnectors(certificateAuthorities: readonly string[]) {
  return [
    {
      name: 'Our mailboxes',
      connectorType: 'OnPremises',
      allAcceptedDomains: true,
      route: 'SmartHosts',
      smartHosts: [{ host: mailboxName }],
      tlsSettings: 'DomainValidation',
      tlsDomain: mailboxName,
      certificateAuthorities,
    },
    {
      name: 'To the bank',
      connectorType: 'Partner',
      recipientDomains: ['bank.example'],
      tlsSettings: 'DomainValidation',
      tlsDomain: '*.bank.example',
      certificateAuthorities,
    },
    {
      name: 'To the clinic',
      connectorType: 'Partner',
      recipientDomains: ['clinic.example'],
      tlsSettings: 'EncryptionOnly',
    },
    {
      name: 'To the vault',
      connectorType: 'Partner',
      recipientDomains: ['vault.example'],
      tlsSettings: 'DomainValidation',
      tlsDomain: 'mx.vault.example',
      certificateAuthorities,
      onTlsFailure: 'Bounce',
    },
  ]
}
