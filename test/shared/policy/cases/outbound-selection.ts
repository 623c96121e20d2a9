import {
  by,
  type Case,
  type Chapter,
  leaves,
  mailboxes,
  type Outcomes,
  ourServer,
  tls13,
  toward,
} from './notation.ts'

const office = ourServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const forced = { tlsSettings: 'EncryptionOnly' } as const
const checked = { tlsSettings: 'CertificateValidation' } as const

interface Row {
  name: string
  connectors: NonNullable<Case['connectors']>
  to?: string
  mx?: string
  outbound: Outcomes
  /** For our own domains; by MX they do not leave. */
  host?: string
  /** TLS of the connector that decides. */
  leaves: string
  why?: string
}

/** Sent by our own server to northwind.example by MX, unless the row says otherwise. */
const rows: Row[] = [
  {
    name: 'the very domain',
    connectors: [toward('northwind.example', forced)],
    outbound: { 'To northwind.example': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'letter case, dots and U-labels make no difference',
    connectors: [toward('BÜCHER.example.', forced)],
    to: 'b@xn--BCHER-kva.Example',
    mx: 'xn--bcher-kva.example',
    outbound: { 'To BÜCHER.example.': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a domain stands for itself only',
    connectors: [toward('northwind.example', checked), toward('*', forced)],
    to: 'b@sales.northwind.example',
    mx: 'sales.northwind.example',
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a wildcard stands for the domain itself too',
    connectors: [toward('*.northwind.example', forced)],
    outbound: { 'To *.northwind.example': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'but only for whole labels',
    connectors: [toward('*.wind.example', checked), toward('*', forced)],
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'the domain goes before a wildcard, though it demands less',
    connectors: [toward('*.northwind.example', checked), toward('northwind.example', forced)],
    outbound: { 'To northwind.example': 'Decides', 'To *.northwind.example': 'Outranked' },
    leaves: 'EncryptionOnly',
    why: 'is for northwind.example, which is more specific than *.northwind.example',
  },
  {
    name: 'the longer wildcard goes before the shorter',
    connectors: [toward('*.example', checked), toward('*.northwind.example', forced)],
    to: 'b@sales.northwind.example',
    mx: 'sales.northwind.example',
    outbound: { 'To *.northwind.example': 'Decides', 'To *.example': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'any wildcard goes before everyone',
    connectors: [toward('*', checked), toward('*.example', forced)],
    outbound: { 'To *.example': 'Decides', 'To *': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'everyone, where nobody is more specific',
    connectors: [toward('contoso.example', checked), toward('*', forced)],
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'of two for one domain the one that demands more, so that a second connector undoes nothing',
    connectors: [
      toward('northwind.example', { name: 'A' }),
      toward('northwind.example', { name: 'B', ...forced }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly',
    why: '"B" has stricter requirements.',
  },
  {
    name: 'a checked certificate is more than TLS',
    connectors: [
      toward('northwind.example', { name: 'A', ...forced }),
      toward('northwind.example', { name: 'B', ...checked }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'CertificateValidation',
  },
  {
    name: 'a checked name is more than a checked certificate',
    connectors: [
      toward('northwind.example', { name: 'A', ...checked, minimumTlsVersion: 'TLSv1.3' }),
      toward('northwind.example', {
        name: 'B',
        tlsSettings: 'DomainValidation',
        tlsDomain: 'mx.northwind.example',
      }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'DomainValidation of mx.northwind.example',
  },
  {
    name: 'at one level TLSv1.3 is more',
    connectors: [
      toward('northwind.example', { name: 'A', ...forced }),
      toward('northwind.example', { name: 'B', ...forced, minimumTlsVersion: 'TLSv1.3' }),
    ],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly over TLSv1.3',
  },
  {
    name: 'among equals the first name',
    connectors: [
      toward('northwind.example', { name: 'B', ...checked }),
      toward('northwind.example', { name: 'A', ...checked }),
    ],
    outbound: { A: 'Decides', B: 'Outranked' },
    leaves: 'CertificateValidation',
    why: '"A" comes first by name.',
  },
  {
    name: 'the type, Partner or OnPremises, makes no difference',
    connectors: [
      toward('northwind.example', { name: 'A', connectorType: 'OnPremises', ...forced }),
      toward('northwind.example', { name: 'B', ...forced }),
    ],
    outbound: { A: 'Decides', B: 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a disabled connector takes nothing, and makes room',
    connectors: [toward('northwind.example', { ...checked, enabled: false }), toward('*', forced)],
    outbound: { 'To *': 'Decides', 'To northwind.example': 'Disabled' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a connector for all accepted domains is not for foreign ones',
    connectors: [mailboxes(checked), toward('*', forced)],
    outbound: { 'To *': 'Decides' },
    leaves: 'EncryptionOnly',
  },
]

const wayIn = by('mbx2.ours.example')

/** To a domain of ours, by the smart host mbx.ours.example unless the row says otherwise. */
const ours: Row[] = [
  {
    name: 'all accepted domains go before everyone',
    connectors: [mailboxes(forced), toward('*', { ...by('relay.example'), ...checked })],
    outbound: { Mailboxes: 'Decides', 'To *': 'Outranked' },
    leaves: 'EncryptionOnly',
    why: '"Mailboxes" is for allAcceptedDomains, which is more specific than *.',
  },
  {
    name: 'a wildcard goes before all accepted domains',
    connectors: [mailboxes(checked), toward('*.ours.example', { ...wayIn, ...forced })],
    outbound: { 'To *.ours.example': 'Decides', Mailboxes: 'Outranked' },
    host: 'mbx2.ours.example',
    leaves: 'EncryptionOnly',
  },
  {
    name: 'the domain goes before all accepted domains',
    connectors: [mailboxes(checked), toward('ours.example', { ...wayIn, ...forced })],
    outbound: { 'To ours.example': 'Decides', Mailboxes: 'Outranked' },
    host: 'mbx2.ours.example',
    leaves: 'EncryptionOnly',
  },
  {
    name: 'a connector for all accepted domains and for one by name counts by the name',
    connectors: [
      mailboxes({ recipientDomains: ['ours.example'], ...forced }),
      toward('*.ours.example', { ...wayIn, ...checked }),
    ],
    outbound: { Mailboxes: 'Decides', 'To *.ours.example': 'Outranked' },
    leaves: 'EncryptionOnly',
  },
  {
    name: 'of two for all accepted domains the one that demands more',
    connectors: [mailboxes({ name: 'A' }), mailboxes({ name: 'B', ...forced })],
    outbound: { B: 'Decides', A: 'Outranked' },
    leaves: 'EncryptionOnly',
  },
]

const toForeign = (row: Row): Case => {
  const { to = 'b@northwind.example', mx = 'northwind.example' } = row
  return {
    ...common(row),
    connectors: [office, ...row.connectors],
    tls: tls13,
    to,
    inbound: { Office: 'Grants' },
    expected: leaves(`ConnectorMatched by MX of ${mx} with ${row.leaves}`),
  }
}

const toOurs = (row: Row): Case => ({
  ...common(row),
  connectors: row.connectors,
  expected: leaves(`ConnectorMatched by ${row.host ?? 'mbx.ours.example'}:25 with ${row.leaves}`),
})

const common = ({ name, outbound, why }: Row) => ({ name, mailboxes: false, outbound, ...(why && { why }) })

export const outboundSelection: Chapter = {
  title: 'Which connector takes a recipient: the most specific domain, then what demands more, then the name',
  cases: [...rows.map(toForeign), ...ours.map(toOurs)],
}
