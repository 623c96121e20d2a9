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
    name: 'letter case, dots and U-labels make no difference',
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
    name: 'the stricter requirements take precedence for one domain, so that a second connector weakens nothing',
    connectors: [
      outboundTo('northwind.example', { name: 'A' }),
      outboundTo('northwind.example', { name: 'B', ...forced }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly',
    why: '"B" has stricter requirements.',
  },
  {
    name: 'certificate validation is stricter than TLS',
    connectors: [
      outboundTo('northwind.example', { name: 'A', ...forced }),
      outboundTo('northwind.example', { name: 'B', ...checked }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'CertificateValidation',
  },
  {
    name: 'name validation is stricter than certificate validation',
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
    name: 'TLSv1.3 is stricter at the same level',
    connectors: [
      outboundTo('northwind.example', { name: 'A', ...forced }),
      outboundTo('northwind.example', { name: 'B', ...forced, minimumTlsVersion: 'TLSv1.3' }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly over TLSv1.3',
  },
  {
    name: 'the first name takes precedence among equals',
    connectors: [
      outboundTo('northwind.example', { name: 'B', ...checked }),
      outboundTo('northwind.example', { name: 'A', ...checked }),
    ],
    outbound: { A: 'Decides', B: 'Outranked' },
    leaves: 'CertificateValidation',
    why: '"A" comes first by name.',
  },
  {
    name: 'the type, Partner or OnPremises, makes no difference',
    connectors: [
      outboundTo('northwind.example', { name: 'A', connectorType: 'OnPremises', ...forced }),
      outboundTo('northwind.example', { name: 'B', ...forced }),
    ],
    outbound: { A: 'Decides', B: 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a disabled connector does not exclude another',
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
    name: 'all accepted domains take precedence over `*`',
    connectors: [mailboxes(forced), outboundTo('*', { ...viaSmartHosts('relay.example'), ...checked })],
    outbound: { Mailboxes: 'Decides', 'To *': 'Outranked' },
    leaves: 'EncryptionOnly',
    why: '"Mailboxes" is for allAcceptedDomains, which is more specific than *.',
  },
  {
    name: 'a wildcard takes precedence over all accepted domains',
    connectors: [mailboxes(checked), outboundTo('*.ours.example', { ...wayIn, ...forced })],
    outbound: { 'To *.ours.example': 'Decides', Mailboxes: 'Outranked' },
    host: 'mbx2.ours.example',
    leaves: 'EncryptionOnly',
  },
  {
    name: 'the exact domain takes precedence over all accepted domains',
    connectors: [mailboxes(checked), outboundTo('ours.example', { ...wayIn, ...forced })],
    outbound: { 'To ours.example': 'Decides', Mailboxes: 'Outranked' },
    host: 'mbx2.ours.example',
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a connector for all accepted domains and for one by name is ranked by the name',
    connectors: [
      mailboxes({ recipientDomains: ['ours.example'], ...forced }),
      outboundTo('*.ours.example', { ...wayIn, ...checked }),
    ],
    outbound: { Mailboxes: 'Decides', 'To *.ours.example': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'the stricter requirements take precedence among connectors for all accepted domains',
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
