import {
  acceptedAndDelivered,
  type Case,
  type Chapter,
  certificate,
  deliversBy,
  organisationServer,
  publicCa,
  relayDenied,
  tls13,
  tlsWithCertificate,
  untrustedCa,
} from './notation.ts'

const to = 'b@foreign.example'
const name = 'mail.protection.outlook.com'
const ownTenant = '11111111-1111-1111-1111-111111111111'
const otherTenant = '99999999-9999-9999-9999-999999999999'
const microsoft = tlsWithCertificate(await certificate(publicCa, name))
const selfMade = tlsWithCertificate(await certificate(untrustedCa, name))
const ownServer = tlsWithCertificate(await certificate(publicCa, 'exchange.ours.example'))

const tenant = organisationServer({
  name: 'Our tenant',
  tlsSenderCertificateNames: [name],
  exchangeOnline: { tenantIds: [ownTenant], originatorOrganizations: ['ours.example'] },
})
const server = organisationServer({ tlsSenderCertificateNames: ['exchange.ours.example'] })

const relayed = deliversBy('DefaultRoute by MX of foreign.example with opportunistic TLS')

/** What the message shows: tenant ids, organizations, and the domains of aligned signatures. */
const shows = (
  tenantIds: string[],
  originatorOrganizations: string[] = [],
  alignedSignatures: string[] | null = null,
): Pick<Case, 'exchangeOnline'> => ({
  exchangeOnline: { tenantIds, originatorOrganizations, alignedSignatures },
})

const base = { connectors: [tenant], from: 'a@ours.example', tls: microsoft, to }
const grants = { expected: relayed, inbound: { 'Our tenant': 'Grants' } } as const
const denies = {
  expected: relayDenied,
  inbound: { 'Our tenant': 'NotIdentified' },
  decidedBy: null,
} as const

const identified: Case[] = [
  { name: 'our tenant id grants relay', ...shows([ownTenant]), why: `its tenant id ${ownTenant}` },
  { name: 'our tenant id grants relay to <>', ...shows([ownTenant]), from: '' },
  {
    name: 'our tenant id grants relay, whatever the organization is',
    ...shows([ownTenant], ['other.example']),
  },
  {
    name: 'our organization grants relay when the tenant id is missing',
    ...shows([], ['ours.example']),
    why: 'its organization ours.example (X-OriginatorOrg)',
  },
  {
    name: 'an aligned signature of an accepted domain grants relay when both are missing',
    ...shows([], [], ['ours.example']),
    why: 'the DKIM signature of the accepted domain ours.example',
  },
  {
    name: 'an aligned signature grants relay beside a foreign organization',
    ...shows([], ['other.example'], ['other.example', 'ours.example']),
  },
].map((row) => ({ ...base, ...grants, ...row }))

const notIdentified: Case[] = [
  {
    name: 'the tenant id of another tenant is refused',
    ...shows([otherTenant]),
    why: `names another tenant (${otherTenant})`,
  },
  {
    name: 'the tenant id of another tenant is refused, also with our organization and signature',
    ...shows([otherTenant], ['ours.example'], ['ours.example']),
  },
  { name: 'an empty tenant id is refused', ...shows([''], ['ours.example']), why: 'another tenant (empty)' },
  {
    name: 'two tenant ids are refused, the right one first',
    ...shows([ownTenant, otherTenant]),
    why: 'is repeated',
  },
  {
    name: 'two tenant ids are refused, the right one last',
    ...shows([otherTenant, ownTenant]),
    why: 'is repeated',
  },
  {
    name: 'two equal tenant ids are refused',
    ...shows([ownTenant, ownTenant]),
    why: 'X-MS-Exchange-CrossTenant-Id',
  },
  {
    name: 'two organizations are refused, also with our tenant id',
    ...shows([ownTenant], ['ours.example', 'ours.example']),
    why: 'X-OriginatorOrg is repeated',
  },
  {
    name: 'a foreign organization alone is refused',
    ...shows([], ['other.example'], []),
    why: "its X-OriginatorOrg (other.example) is not the connector's",
  },
  {
    name: 'a message that shows nothing is refused',
    ...shows([], [], []),
    why: 'no aligned DKIM signature of an accepted domain',
  },
  {
    name: 'a signature of a foreign domain is refused',
    ...shows([], [], ['other.example']),
    why: '(only of other.example)',
  },
  {
    name: 'signatures that were not verified are refused',
    ...shows([]),
    why: 'its signatures were not verified',
  },
  {
    name: 'our tenant with an address literal as sender is refused, although senderDomains is *',
    ...shows([ownTenant]),
    from: 'a@[192.0.2.1]',
    why: 'its sender domain [192.0.2.1] is neither an accepted domain',
  },
  {
    name: 'our tenant with the sender of a foreign domain is refused, although senderDomains is *',
    ...shows([ownTenant]),
    from: 'a@elsewhere.example',
    why: 'sender domain elsewhere.example is neither an accepted domain nor named in senderDomains',
  },
].map((row) => ({ ...base, ...denies, ...row }))

export const exchangeOnline: Chapter = {
  title: 'The tenant of Exchange Online: all tenants share one certificate',
  cases: [
    ...identified,
    ...notIdentified,
    {
      ...base,
      name: 'a certificate of another authority identifies nothing, also with our tenant id',
      tls: selfMade,
      ...shows([ownTenant]),
      ...denies,
    },
    {
      ...base,
      name: 'our tenant id without the certificate of Exchange Online is refused',
      tls: tls13,
      ...shows([ownTenant]),
      ...denies,
    },
    {
      ...base,
      name: 'a foreign sender domain that senderDomains names is permitted',
      connectors: [{ ...tenant, senderDomains: ['ours.example', 'partner.example'] }],
      from: 'a@partner.example',
      ...shows([ownTenant]),
      ...grants,
    },
    {
      ...base,
      name: "another tenant's mail to our users is mail from the internet",
      from: 'a@elsewhere.example',
      to: 'b@ours.example',
      ...shows([otherTenant]),
      expected: acceptedAndDelivered,
      inbound: { 'Our tenant': 'NotIdentified' },
      decidedBy: null,
    },
    {
      ...base,
      name: "the organisation's own server keeps its own connector",
      connectors: [tenant, server],
      tls: ownServer,
      ...shows([otherTenant]),
      expected: relayed,
      inbound: { 'Our server': 'Grants', 'Our tenant': 'NotIdentified' },
    },
    {
      ...base,
      name: 'a report-only connector identifies the tenant in the same way',
      connectors: [{ ...tenant, mode: 'ReportOnly' }],
      ...shows([otherTenant]),
      ...denies,
    },
  ],
}
