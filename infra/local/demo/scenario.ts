/** The demo's connectors and messages: one message for each kind of decision. */
import type { LocalAuthority } from '../certificates.ts'
import type { ApiClient } from './api-client.ts'
import { mailboxName } from './partners.ts'

export const ourDomain = 'ours.example'

export interface Step {
  readonly from: string
  readonly to: string
  /** The client's session: in the clear, over TLS, or over TLS with the certificate of the mailbox server. */
  readonly session: 'Plain' | 'Tls' | 'OurServer'
  /** The behaviour that the message demonstrates. */
  readonly demonstrates: string
  /** The connector that refuses the message in session. A refused message has no trace that names the connector. */
  readonly refusedBy?: string
}

export const steps: readonly Step[] = [
  {
    from: 'bob@paper.example',
    to: 'ann@ours.example',
    session: 'Plain',
    demonstrates: 'no connector requires TLS from paper.example, so its mail is accepted in the clear',
  },
  {
    from: 'teller@bank.example',
    to: 'ann@ours.example',
    session: 'Tls',
    demonstrates: 'a connector requires TLS from the bank, and this client uses TLS',
  },
  {
    from: 'teller@bank.example',
    to: 'ann@ours.example',
    session: 'Plain',
    demonstrates: 'a connector requires TLS from the bank, but this client does not use TLS',
    refusedBy: 'From the bank',
  },
  {
    from: 'ann@ours.example',
    to: 'bob@paper.example',
    session: 'OurServer',
    demonstrates: 'opportunistic TLS: the server offers no STARTTLS, so the message is sent in the clear',
  },
  {
    from: 'ann@ours.example',
    to: 'eve@workshop.example',
    session: 'OurServer',
    demonstrates: 'opportunistic TLS: the certificate is self-signed, but TLS is used anyway',
  },
  {
    from: 'ann@ours.example',
    to: 'fay@archive.example',
    session: 'OurServer',
    demonstrates: 'DANE: the signed zone has a TLSA record, and the certificate matches it',
  },
  {
    from: 'ann@ours.example',
    to: 'max@museum.example',
    session: 'OurServer',
    demonstrates:
      'DANE: the server presents archive’s certificate, which does not match museum’s TLSA record, so the message is deferred',
  },
  {
    from: 'ann@ours.example',
    to: 'teller@bank.example',
    session: 'OurServer',
    demonstrates: 'forced TLS: the certificate is issued by the required authority for the required name',
  },
  {
    from: 'ann@ours.example',
    to: 'dr@clinic.example',
    session: 'OurServer',
    demonstrates:
      'forced TLS: the server offers no STARTTLS, so the message is deferred, not sent in the clear',
  },
  {
    from: 'ann@ours.example',
    to: 'guard@vault.example',
    session: 'OurServer',
    demonstrates:
      'forced TLS: the certificate is not issued by the required authority, and onTlsFailure of the connector is Bounce',
  },
]

/** Configures the gateway if it is empty; otherwise changes nothing. @returns whether it was empty */
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

/** @param certificateAuthorities PEM */
export function inboundConnectors(certificateAuthorities: readonly string[]) {
  return [
    {
      name: 'Our server',
      connectorType: 'OnPremises',
      senderDomains: [ourDomain],
      tlsSenderCertificateNames: [mailboxName],
      certificateAuthorities,
      comment: 'Identifies the organisation’s mail server by its certificate and lets it relay.',
    },
    {
      name: 'From the bank',
      connectorType: 'Partner',
      senderDomains: ['bank.example'],
      requireTls: true,
    },
  ]
}

/** @param certificateAuthorities PEM */
export function outboundConnectors(certificateAuthorities: readonly string[]) {
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
