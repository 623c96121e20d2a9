import {
  type Case,
  type Chapter,
  deliversBy,
  mailboxes,
  type Outcomes,
  organisationServer,
  outboundTo,
  tls13,
  viaSmartHosts,
} from './notation.ts'

const office = organisationServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const forced = { tlsSettings: 'EncryptionOnly' } as const
const checked = { tlsSettings: 'CertificateValidation' } as const

interface Row {
  name: string
  connectors: NonNullable<Case['connectors']>
  to?: string
  mx?: string
  outbound: Outcomes
  /** The smart host for accepted domains, whose mail is not routed by MX lookup. */
  host?: string
  /** The TLS requirement of the selected connector. */
  leaves: string
  why?: string
}

/** The organisation's server sends to northwind.example by MX lookup, unless the row states another domain. */
const rows: Row[] = [
  {
    name: 'a connector matches its exact domain',
    connectors: [outboundTo('northwind.example', forced)],
    outbound: { 'To northwind.example': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'letter case, final dots and U-labels of the recipient make no difference',
    connectors: [outboundTo('BÜCHER.example.', forced)],
    to: 'b@xn--BCHER-kva.Example',
    mx: 'xn--bcher-kva.example',
    outbound: { 'To BÜCHER.example.': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a domain does not match its subdomains',
    connectors: [outboundTo('northwind.example', checked), outboundTo('*', forced)],
    to: 'b@sales.northwind.example',
    mx: 'sales.northwind.example',
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a wildcard also matches the domain itself',
    connectors: [outboundTo('*.northwind.example', forced)],
    outbound: { 'To *.northwind.example': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a wildcard matches only whole labels',
    connectors: [outboundTo('*.wind.example', checked), outboundTo('*', forced)],
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'the exact domain takes precedence over a wildcard with stricter requirements',
    connectors: [outboundTo('*.northwind.example', checked), outboundTo('northwind.example', forced)],
    outbound: { 'To northwind.example': 'Decides', 'To *.northwind.example': 'Outranked' },
    leaves: 'EncryptionOnly',
    why: 'is for northwind.example, which is more specific than *.northwind.example',
  },
  {
    name: 'the longer wildcard takes precedence over the shorter',
    connectors: [outboundTo('*.example', checked), outboundTo('*.northwind.example', forced)],
    to: 'b@sales.northwind.example',
    mx: 'sales.northwind.example',
    outbound: { 'To *.northwind.example': 'Decides', 'To *.example': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'any wildcard takes precedence over `*`',
    connectors: [outboundTo('*', checked), outboundTo('*.example', forced)],
    outbound: { 'To *.example': 'Decides', 'To *': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: '`*` decides if no connector is more specific',
    connectors: [outboundTo('contoso.example', checked), outboundTo('*', forced)],
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'for one domain, mandatory DANE takes precedence over every tlsSettings',
    connectors: [
      outboundTo('northwind.example', { ...checked, name: 'A' }),
      outboundTo('northwind.example', { name: 'B', smtpDaneMode: 'Mandatory' }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'opportunistic TLS and DANE',
    why: 'It applies to mail for northwind.example: sent by MX lookup; matching TLSA records that DNSSEC proves (smtpDaneMode Mandatory).',
  },
  {
    name: 'for one domain, two mandatory policies take precedence over one',
    connectors: [
      outboundTo('northwind.example', { name: 'A', mtaStsMode: 'Mandatory' }),
      outboundTo('northwind.example', { name: 'B', mtaStsMode: 'Mandatory', smtpDaneMode: 'Mandatory' }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'opportunistic TLS and DANE and MTA-STS',
  },
  {
    name: 'for one domain, forced TLS takes precedence over opportunistic TLS',
    connectors: [
      outboundTo('northwind.example', { name: 'A' }),
      outboundTo('northwind.example', { name: 'B', ...forced }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly',
    why: '"B" has stricter requirements.',
  },
  {
    name: 'for one domain, CertificateValidation takes precedence over EncryptionOnly',
    connectors: [
      outboundTo('northwind.example', { name: 'A', ...forced }),
      outboundTo('northwind.example', { name: 'B', ...checked }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'CertificateValidation',
  },
  {
    name: 'for one domain, DomainValidation takes precedence over CertificateValidation, even with TLSv1.3',
    connectors: [
      outboundTo('northwind.example', { name: 'A', ...checked, minimumTlsVersion: 'TLSv1.3' }),
      outboundTo('northwind.example', {
        name: 'B',
        tlsSettings: 'DomainValidation',
        tlsDomain: 'mx.northwind.example',
      }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'DomainValidation of mx.northwind.example',
  },
  {
    name: 'for one domain and level, TLSv1.3 takes precedence over TLSv1.2',
    connectors: [
      outboundTo('northwind.example', { name: 'A', ...forced }),
      outboundTo('northwind.example', { name: 'B', ...forced, minimumTlsVersion: 'TLSv1.3' }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly over TLSv1.3',
  },
  {
    name: 'for one domain and equal requirements, the first name takes precedence',
    connectors: [
      outboundTo('northwind.example', { name: 'B', ...checked }),
      outboundTo('northwind.example', { name: 'A', ...checked }),
    ],
    outbound: { A: 'Decides', B: 'Outranked' },
    leaves: 'CertificateValidation',
    why: '"A" comes first by name.',
  },
  {
    name: 'for one domain and equal requirements, the type Partner does not take precedence over OnPremises',
    connectors: [
      outboundTo('northwind.example', { name: 'A', connectorType: 'OnPremises', ...forced }),
      outboundTo('northwind.example', { name: 'B', ...forced }),
    ],
    outbound: { A: 'Decides', B: 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a disabled connector does not exclude a less specific one',
    connectors: [outboundTo('northwind.example', { ...checked, enabled: false }), outboundTo('*', forced)],
    outbound: { 'To *': 'Decides', 'To northwind.example': 'Disabled' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a connector for all accepted domains does not match other domains',
    connectors: [mailboxes(checked), outboundTo('*', forced)],
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
]

const wayIn = viaSmartHosts('mbx2.ours.example')

/** Mail for an accepted domain goes through the smart host mbx.ours.example, unless the row states another one. */
const acceptedDomainRows: Row[] = [
  {
    name: 'a connector for all accepted domains takes precedence over one for `*`',
    connectors: [mailboxes(forced), outboundTo('*', { ...viaSmartHosts('relay.example'), ...checked })],
    outbound: { Mailboxes: 'Decides', 'To *': 'Outranked' },
    leaves: 'EncryptionOnly',
    why: '"Mailboxes" is for allAcceptedDomains, which is more specific than *.',
  },
  {
    name: 'a connector for a wildcard takes precedence over one for all accepted domains',
    connectors: [mailboxes(checked), outboundTo('*.ours.example', { ...wayIn, ...forced })],
    outbound: { 'To *.ours.example': 'Decides', Mailboxes: 'Outranked' },
    host: 'mbx2.ours.example',
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a connector for the exact domain takes precedence over one for all accepted domains',
    connectors: [mailboxes(checked), outboundTo('ours.example', { ...wayIn, ...forced })],
    outbound: { 'To ours.example': 'Decides', Mailboxes: 'Outranked' },
    host: 'mbx2.ours.example',
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a connector for all accepted domains that also names the domain is ranked as one for the exact domain',
    connectors: [
      mailboxes({ recipientDomains: ['ours.example'], ...forced }),
      outboundTo('*.ours.example', { ...wayIn, ...checked }),
    ],
    outbound: { Mailboxes: 'Decides', 'To *.ours.example': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'of two connectors for all accepted domains, the one with the stricter requirements takes precedence',
    connectors: [mailboxes({ name: 'A' }), mailboxes({ name: 'B', ...forced })],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly',
  },
]

const toOtherDomain = (row: Row): Case => {
  const { to = 'b@northwind.example', mx = 'northwind.example' } = row
  return {
    ...common(row),
    connectors: [office, ...row.connectors],
    tls: tls13,
    to,
    inbound: { Office: 'Grants' },
    expected: deliversBy(`ConnectorMatched by MX of ${mx} with ${row.leaves}`),
  }
}

const toAcceptedDomain = (row: Row): Case => ({
  ...common(row),
  connectors: row.connectors,
  expected: deliversBy(`ConnectorMatched by ${row.host ?? 'mbx.ours.example'}:25 with ${row.leaves}`),
})

const common = ({ name, outbound, why }: Row) => ({ name, mailboxes: false, outbound, ...(why && { why }) })

export const outboundSelection: Chapter = {
  title:
    'Which outbound connector applies: the most specific domain, then the strictest requirements, then the name',
  cases: [...rows.map(toOtherDomain), ...acceptedDomainRows.map(toAcceptedDomain)],
}
