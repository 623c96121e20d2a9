/** The changes of the proof, of every kind of rule. */
import type { Change } from './connectors.ts'
import { otherTenant } from './planned-mail.ts'
import type { Stack } from './stack.ts'

export function changesOf({ authorities, fingerprints, ports }: Stack): Change[] {
  const inbound = (name: string, title: string, fields: object): Change => ({
    title: `${name}: ${title}`,
    kind: 'inbound',
    change: name,
    fields,
  })
  const outbound = (name: string, title: string, fields: object): Change => ({
    title: `${name}: ${title}`,
    kind: 'outbound',
    change: name,
    fields,
  })
  return [
    inbound('from contoso', 'another certificate name', {
      tlsSenderCertificateNames: ['mx.contoso.example'],
    }),
    outbound('to good.example', 'another certificate name', { tlsDomain: 'mx.another.example' }),
    inbound('our printer', 'another address', { senderIpAddresses: ['127.0.0.5'] }),
    inbound('from contoso', 'ReportOnly', { mode: 'ReportOnly' }),
    outbound('our mailboxes', 'a certificate of a public root', { tlsSettings: 'CertificateValidation' }),
    inbound('from contoso', 'TLSv1.3', { minimumTlsVersion: 'TLSv1.3' }),
    inbound('from contoso', 'a pinned certificate', {
      tlsSenderCertificateNames: [],
      certificateFingerprints: [fingerprints.contosoSelfSigned, fingerprints.contosoExpired],
    }),
    inbound('from contoso', 'its own authority', { certificateAuthorities: [authorities.contoso] }),
    inbound('from contoso', 'DMARC', { requireDmarc: true }),
    inbound('from fabrikam', 'addresses, and it holds mail', {
      restrictDomainsToIpAddresses: true,
      senderIpAddresses: ['127.0.0.2'],
      onViolation: 'Defer',
    }),
    inbound('from fabrikam', 'one accepted domain only', { associatedAcceptedDomains: ['second.example'] }),
    inbound('from bank', 'it bounces mail', { onViolation: 'Bounce' }),
    inbound('from bank', 'disabled', { enabled: false }),
    inbound('our tenant', 'another tenant', {
      exchangeOnline: { tenantIds: [otherTenant], originatorOrganizations: [] },
    }),
    inbound('our server', 'HardFail, and another name', {
      tlsSenderCertificateNames: ['mail.ours.example'],
      revocationCheck: 'HardFail',
    }),
    { title: 'from contoso: deleted', kind: 'inbound', remove: 'from contoso' },
    {
      title: 'a connector for subdomains of contoso.example, with TLSv1.3',
      kind: 'inbound',
      create: {
        name: 'from below contoso',
        connectorType: 'Partner',
        senderDomains: ['*.contoso.example'],
        minimumTlsVersion: 'TLSv1.3',
      },
    },
    {
      title: 'a connector for all domains, with DMARC, which holds mail',
      kind: 'inbound',
      create: {
        name: 'from everywhere',
        connectorType: 'Partner',
        senderDomains: ['*'],
        requireTls: false,
        requireDmarc: true,
        onViolation: 'Defer',
      },
    },
    outbound('to strange.example', 'a certificate, or it bounces', {
      tlsSettings: 'DomainValidation',
      tlsDomain: 'mx.strange.example',
      onTlsFailure: 'Bounce',
    }),
    {
      title: 'a connector to tls12.example and plain.example, with TLSv1.3',
      kind: 'outbound',
      create: {
        name: 'to others',
        connectorType: 'Partner',
        recipientDomains: ['tls12.example', 'plain.example', 'double.example'],
        tlsSettings: 'EncryptionOnly',
        minimumTlsVersion: 'TLSv1.3',
      },
    },
    { title: 'second.example: no accepted domain', kind: 'accepted-domain', remove: 'second.example' },
    outbound('our mailboxes', 'another server', {
      smartHosts: [{ host: '127.0.0.1', port: ports.otherMailbox }],
    }),
    { title: 'to good.example: deleted', kind: 'outbound', remove: 'to good.example' },
    outbound('to privateca.example', 'public roots', { certificateAuthorities: [] }),
  ]
}
