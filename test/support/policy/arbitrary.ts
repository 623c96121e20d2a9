/**
 * Random connectors and sessions from few domains, names and addresses, so that they match often. Every connector is
 * valid for the API.
 */
import fc from 'fast-check'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import { type ClientCertificate, noTls, type TlsFacts } from '../../../shared/contract/message.ts'
import { RevocationCheck } from '../../../shared/contract/revocation.ts'
import { certificate, contosoCa, receivedAt } from '../../shared/policy/cases/notation.ts'
import { clientCertificate, inbound, outbound, overTls } from '../fixtures.ts'
import type { Sender } from './reference.ts'

export const domains = [
  'contoso.example',
  'mail.contoso.example',
  'x.mail.contoso.example',
  'ours.example',
  'branch.ours.example',
  'xn--bcher-kva.example',
  'elsewhere.test',
]
const patterns = [...domains, ...domains.map((domain) => `*.${domain}`), '*.example', '*.test', '*']
const hosts = [
  'mx.contoso.example',
  'mx2.contoso.example',
  'contoso.example',
  'mx.ours.example',
  'a.mx.ours.example',
]
const wildcards = ['*.contoso.example', '*.ours.example', '*.mx.ours.example', '*.example']
const ranges = [
  '192.0.2.1',
  '192.0.2.0/24',
  '192.0.2.128/25',
  '192.0.0.0/16',
  '0.0.0.0/0',
  '::ffff:192.0.2.0/121',
  '2001:db8::1',
  '2001:db8::/32',
  '2001:db8:0:8000::/49',
  '::/0',
]
const ips = [
  '192.0.2.1',
  '192.0.2.200',
  '192.0.3.1',
  '203.0.113.1',
  '::ffff:192.0.2.1',
  '2001:db8::1',
  '2001:db9::1',
]
const fingerprints = ['aa'.repeat(32), 'bb'.repeat(32)]

const some = <T>(items: readonly T[], minLength = 0, maxLength = 3) =>
  fc.uniqueArray(fc.constantFrom(...items), { minLength, maxLength })

/** Code points from several blocks, so that the order of names is tested. */
const name = fc.stringMatching(/^[abABzZäß9 -]{0,2}[abABzZäß9]$/)
const mostly = <T>(defaults: T, rare: T) => fc.constantFrom(defaults, defaults, defaults, rare)

const identity = fc.record({
  tlsSenderCertificateNames: some([...hosts, ...wildcards]),
  certificateFingerprints: some(fingerprints, 0, 1),
  certificateAuthorities: mostly<string[]>([], [contosoCa.ca]),
  requireClientAuthEku: fc.boolean(),
  senderIpAddresses: some(ranges, 0, 4),
})
const common = {
  name,
  enabled: mostly(true, false),
  mode: mostly<InboundConnector['mode']>('Enforce', 'ReportOnly'),
  revocationCheck: fc.constantFrom(...RevocationCheck.options),
}
const byCertificate = (it: { tlsSenderCertificateNames: string[]; certificateFingerprints: string[] }) =>
  it.tlsSenderCertificateNames.length + it.certificateFingerprints.length > 0

export const anyInbound: fc.Arbitrary<InboundConnector> = fc
  .record({
    ...common,
    connectorType: fc.constantFrom('Partner', 'OnPremises'),
    onViolation: fc.constantFrom('Bounce', 'Defer'),
    senderDomains: some(patterns, 1),
    identity,
    requireTls: fc.boolean(),
    tls13: fc.boolean(),
    restriction: fc.constantFrom('none', 'certificate', 'addresses'),
    messageRateLimit: mostly<number | null>(null, 600),
    associatedAcceptedDomains: mostly<string[]>([], ['ours.example']),
    requireDmarc: mostly(false, true),
  })
  .map(({ identity, requireTls, tls13, restriction, requireDmarc, ...rest }) => {
    const hasCertificate = byCertificate(identity)
    const isPartner = rest.connectorType === 'Partner'
    const tls = requireTls || hasCertificate
    const none = !isPartner && !hasCertificate && identity.senderIpAddresses.length === 0
    const restricts = isPartner ? restriction : 'none'
    const senderIpAddresses = none ? ['192.0.2.1'] : identity.senderIpAddresses
    const saved = inbound({
      ...rest,
      ...identity,
      senderIpAddresses: senderIpAddresses.length > 0 ? ['192.0.2.1'] : [],
      tlsSenderCertificateNames: identity.tlsSenderCertificateNames.length > 0 ? ['mx.ours.example'] : [],
      id: `inbound ${rest.name}`,
      requireTls: tls,
      requireDmarc: isPartner && requireDmarc,
      minimumTlsVersion: tls && tls13 ? 'TLSv1.3' : 'TLSv1.2',
      restrictDomainsToCertificate: restricts === 'certificate' && hasCertificate,
      restrictDomainsToIpAddresses: restricts === 'addresses' && identity.senderIpAddresses.length > 0,
    })
    // A stored connector may have ranges and names that the schema refuses today.
    return { ...saved, senderIpAddresses, tlsSenderCertificateNames: identity.tlsSenderCertificateNames }
  })

export const anyOutbound: fc.Arbitrary<OutboundConnector> = fc
  .record({
    ...common,
    connectorType: fc.constantFrom('Partner', 'OnPremises'),
    onTlsFailure: fc.constantFrom('Bounce', 'Defer'),
    recipientDomains: some(patterns, 1),
    allAccepted: fc.boolean(),
    route: fc.constantFrom('Mx', 'SmartHosts', 'Ses'),
    tlsSettings: fc.constantFrom(null, 'EncryptionOnly', 'CertificateValidation', 'DomainValidation'),
    tls13: fc.boolean(),
    expirationHours: fc.integer({ min: 12, max: 24 }),
  })
  .map(({ tls13, allAccepted, ...rest }) => {
    const verifies = rest.tlsSettings !== null && rest.tlsSettings !== 'EncryptionOnly'
    const route = rest.route === 'Ses' && verifies ? 'Mx' : rest.route
    return outbound({
      ...rest,
      id: `outbound ${rest.name}`,
      route,
      allAcceptedDomains: allAccepted && rest.connectorType === 'OnPremises',
      smartHosts: route === 'SmartHosts' ? [{ host: `${rest.name.length}.relay.example`, port: 25 }] : [],
      tlsDomain: rest.tlsSettings === 'DomainValidation' ? 'mx.northwind.example' : null,
      minimumTlsVersion: tls13 && rest.tlsSettings !== null && route !== 'Ses' ? 'TLSv1.3' : 'TLSv1.2',
    })
  })

export interface Connectors {
  inbound: InboundConnector[]
  outbound: OutboundConnector[]
  acceptedDomains: string[]
}

/** Connectors of one direction. No two of them have the same name, as the store requires. */
const several = <T extends { name: string }>(connector: fc.Arbitrary<T>) =>
  fc.uniqueArray(connector, { selector: (it) => it.name.toLowerCase().trim(), maxLength: 8 })

export const anyConnectors: fc.Arbitrary<Connectors> = fc.record({
  inbound: several(anyInbound),
  outbound: several(anyOutbound),
  acceptedDomains: some(domains),
})

/** Certificates that `contosoCa` issued. The certificates of `described` have fields but no chain. */
const real = await Promise.all(
  [['mx.contoso.example'], ['*.ours.example', 'x.test'], ['mx.ours.example']].map((names) =>
    certificate(contosoCa, names),
  ),
)

const hours = (count: number) => new Date(receivedAt.getTime() + count * 3_600_000).toISOString()

const described: fc.Arbitrary<ClientCertificate> = fc
  .record({
    subjectAltNames: some([...hosts, ...wildcards]),
    commonName: fc.option(fc.constantFrom(...hosts, ...wildcards)),
    fingerprint256: fc.constantFrom(...fingerprints, 'cc'.repeat(32)),
    trusted: mostly(true, false),
    clientAuth: fc.boolean(),
    notBefore: mostly(hours(-48), hours(1)),
    notAfter: mostly(hours(48), hours(-1)),
    revocation: fc.constantFrom('Good', 'Good', 'Good', 'Revoked', 'Unknown', null),
  })
  .map(({ revocation: status, ...fields }) =>
    clientCertificate({ ...fields, ...(status && { revocation: { status, detail: 'as was said' } }) }),
  )

export const anyCertificate: fc.Arbitrary<ClientCertificate> = fc.oneof(
  { weight: 4, arbitrary: described },
  { weight: 1, arbitrary: fc.constantFrom(...real) },
)

export const anyTls: fc.Arbitrary<TlsFacts> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(noTls) },
  {
    weight: 4,
    arbitrary: fc
      .record({
        protocol: fc.constantFrom('TLSv1.2', 'TLSv1.3'),
        clientCertificate: fc.option(anyCertificate),
      })
      .map((facts) => ({ ...overTls, ...facts })),
  },
)

/** A sender as it stands in the envelope, and in comparable form. */
export const anySender: fc.Arbitrary<{ mailFrom: string; sender: Sender }> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...domains, 'deep.x.mail.contoso.example', 'unknown.test'),
        fc.constantFrom(0, 1, 2),
      )
      .map(([domain, way]) => {
        const written = [domain, domain.toUpperCase(), `${domain}.`][way]
        return { mailFrom: `a@${written}`, sender: { domain } }
      }),
  },
  { weight: 1, arbitrary: fc.constant({ mailFrom: '', sender: 'nullReversePath' as const }) },
  { weight: 1, arbitrary: fc.constant({ mailFrom: 'a@[192.0.2.1]', sender: 'atAnAddress' as const }) },
)

export const anyIp = fc.constantFrom(...ips)

export const anyRecipientDomain = fc.constantFrom(...domains, 'deep.x.mail.contoso.example', 'unknown.test')
