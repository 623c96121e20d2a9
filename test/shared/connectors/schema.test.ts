import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { InboundConnectorInput, OutboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { faultsOf } from '../../../shared/contract/schema-faults.ts'
import { createPki, withoutDates } from '../../support/pki.ts'

const inbound = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
const onPremises = { ...inbound, connectorType: 'OnPremises', senderIpAddresses: ['192.0.2.1'] }
const outbound = { name: 'Northwind', connectorType: 'Partner', recipientDomains: ['northwind.example'] }
const smartHosts = [{ host: 'mail.northwind.example' }]

/** Each fault as the API and the command line name it, in order of appearance. */
const faults = (
  schema: typeof InboundConnectorInput | typeof OutboundConnectorInput,
  body: unknown,
): string[] => {
  const { error } = schema.safeParse(body)
  return error ? faultsOf(error).map(({ path, message }) => `${path} ${message}`) : []
}

describe('an inbound connector', () => {
  const rows: { name: string; body: object; at: string[] }[] = [
    { name: 'is taken with its defaults', body: inbound, at: [] },
    {
      name: 'may restrict by certificate',
      body: {
        ...inbound,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['*.contoso.example'],
      },
      at: [],
    },
    {
      name: 'may not restrict by certificate and by address',
      body: {
        ...inbound,
        restrictDomainsToCertificate: true,
        restrictDomainsToIpAddresses: true,
        tlsSenderCertificateNames: ['a.example'],
        senderIpAddresses: ['192.0.2.0/24'],
      },
      at: ['restrictDomainsToIpAddresses cannot be set together with restrictDomainsToCertificate'],
    },
    {
      name: 'needs a certificate to restrict by',
      body: { ...inbound, restrictDomainsToCertificate: true },
      at: ['restrictDomainsToCertificate needs tlsSenderCertificateNames or certificateFingerprints'],
    },
    {
      name: 'needs addresses to restrict by',
      body: { ...inbound, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses needs senderIpAddresses'],
    },
    {
      name: 'that names a certificate needs TLS',
      body: { ...inbound, requireTls: false, tlsSenderCertificateNames: ['a.example'] },
      at: ['requireTls must be true when the connector names a certificate'],
    },
    {
      name: 'that asks for TLS 1.3 must ask for TLS',
      body: { ...inbound, requireTls: false, minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion TLSv1.3 needs requireTls, without which mail in the clear is taken'],
    },
    {
      name: 'that asks for TLS may ask for TLS 1.3',
      body: { ...inbound, minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: 'of a partner cannot make mail internal',
      body: { ...inbound, treatMessagesAsInternal: true },
      at: ['treatMessagesAsInternal is for OnPremises connectors only'],
    },
    { name: 'of our own servers may', body: { ...onPremises, treatMessagesAsInternal: true }, at: [] },
    { name: 'may limit its messages a minute', body: { ...inbound, messageRateLimit: 1 }, at: [] },
    {
      name: 'that limits them takes one at least',
      body: { ...inbound, messageRateLimit: 0 },
      at: ['messageRateLimit must be at least 1'],
    },
    {
      name: 'limits them to a whole number',
      body: { ...inbound, messageRateLimit: 1.5 },
      at: ['messageRateLimit must be a whole number'],
    },
    { name: 'may say that it does not', body: { ...onPremises, messageRateLimit: null }, at: [] },
    {
      name: 'of our own servers must identify them',
      body: { ...onPremises, senderIpAddresses: [] },
      at: [
        'senderIpAddresses an OnPremises connector grants relay, so it needs senderIpAddresses, tlsSenderCertificateNames or certificateFingerprints',
      ],
    },
    {
      name: 'of our own servers does not restrict',
      body: { ...onPremises, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses is for Partner connectors only'],
    },
    {
      name: 'has no embedded wildcard',
      body: { ...inbound, senderDomains: ['a.*.example', '*', '*.b.example', '*.*.example', '*c.example'] },
      at: [
        'senderDomains[0] "a.*.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
        'senderDomains[3] "*.*.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
        'senderDomains[4] "*c.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
      ],
    },
    {
      name: 'has domains that are domains',
      body: { ...inbound, senderDomains: ['a@b.example', '192.0.2.1'] },
      at: [
        'senderDomains[0] "a@b.example" is not a domain, "*.domain" or "*"',
        'senderDomains[1] "192.0.2.1" is not a domain, "*.domain" or "*"',
      ],
    },
    {
      name: 'has a domain',
      body: { ...inbound, senderDomains: [] },
      at: ['senderDomains must not be empty'],
    },
    {
      name: 'has each domain once, in whatever way it is written',
      body: { ...inbound, senderDomains: ['*.BÜCHER.example.', 'b.example', '*.xn--bcher-kva.example'] },
      at: ['senderDomains[2] "*.xn--bcher-kva.example" is listed twice'],
    },
    {
      name: 'has each address once',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/48', '192.0.2.1', '2001:DB8::/48'] },
      at: ['senderIpAddresses[2] "2001:DB8::/48" is listed twice'],
    },
    {
      name: 'has each certificate name once',
      body: { ...inbound, tlsSenderCertificateNames: ['a.example', 'A.example.'] },
      at: ['tlsSenderCertificateNames[1] "a.example" is listed twice'],
    },
    {
      name: 'has each fingerprint once, with colons or without',
      body: { ...inbound, certificateFingerprints: ['ab'.repeat(32), Array(32).fill('AB').join(':')] },
      at: [`certificateFingerprints[1] "${'ab'.repeat(32)}" is listed twice`],
    },
    {
      name: 'has certificate names that are host names',
      body: { ...inbound, tlsSenderCertificateNames: ['*', 'mail.*.example', '*.contoso.example'] },
      at: [
        'tlsSenderCertificateNames[0] "*" is not a host name or "*.domain"',
        'tlsSenderCertificateNames[1] "mail.*.example" is not a host name or "*.domain": a wildcard is the whole first label',
      ],
    },
    {
      name: 'has fingerprints that are SHA-256',
      body: { ...inbound, certificateFingerprints: ['ab'.repeat(20)] },
      at: ['certificateFingerprints[0] not a SHA-256 fingerprint (64 hexadecimal digits)'],
    },
    {
      name: 'that pins a certificate needs TLS',
      body: { ...inbound, requireTls: false, certificateFingerprints: ['ab'.repeat(32)] },
      at: ['requireTls must be true when the connector names a certificate'],
    },
    {
      name: 'of our own servers does not restrict by certificate either',
      body: {
        ...onPremises,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['a.example'],
      },
      at: ['restrictDomainsToCertificate is for Partner connectors only'],
    },
    {
      name: 'has authorities in PEM',
      body: { ...inbound, certificateAuthorities: ['MIIB', '-----BEGIN CERTIFICATE-----'] },
      at: [
        'certificateAuthorities[0] not one certificate in PEM',
        'certificateAuthorities[1] not one certificate in PEM',
      ],
    },
    {
      name: 'has addresses and ranges',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/32', '192.0.2.300', '10.0.0.0/33'] },
      at: [
        'senderIpAddresses[1] "192.0.2.300" is not an IP address or a CIDR range',
        'senderIpAddresses[2] "10.0.0.0/33" is not an IP address or a CIDR range',
      ],
    },
    {
      name: 'has no line breaks in its name',
      body: { ...inbound, name: 'a\r\nb' },
      at: ['name has control characters'],
    },
    {
      name: 'with several faults names them all',
      body: {
        ...inbound,
        name: '',
        senderDomains: ['-'],
        unknown: 1,
        treatMessagesAsInternal: true,
        restrictDomainsToIpAddresses: true,
      },
      at: [
        'name must not be empty',
        'senderDomains[0] "-" is not a domain, "*.domain" or "*"',
        'unknown is not a known field',
        'restrictDomainsToIpAddresses needs senderIpAddresses',
        'treatMessagesAsInternal is for OnPremises connectors only',
      ],
    },
    {
      name: 'is not judged by a field that is unreadable',
      body: { ...inbound, senderIpAddresses: 'x', restrictDomainsToIpAddresses: true },
      at: ['senderIpAddresses must be a list, not a string'],
    },
  ]
  for (const { name, body, at } of rows)
    test(name, () => assert.deepEqual(faults(InboundConnectorInput, body), at))

  test('is compared in lower case, as A-labels, without a trailing dot', () => {
    const { senderDomains } = InboundConnectorInput.parse({
      ...inbound,
      senderDomains: ['*.BÜCHER.example.'],
    })
    assert.deepEqual(senderDomains, ['*.xn--bcher-kva.example'])
  })
})

describe('an outbound connector', () => {
  const rows: { name: string; body: object; at: string[] }[] = [
    { name: 'is taken with its defaults', body: outbound, at: [] },
    {
      name: 'needs a domain',
      body: { ...outbound, recipientDomains: [] },
      at: ['recipientDomains needs at least one domain, unless allAcceptedDomains is true'],
    },
    {
      name: 'of a partner does not take every accepted domain',
      body: { ...outbound, allAcceptedDomains: true },
      at: ['allAcceptedDomains is for OnPremises connectors only'],
    },
    {
      name: 'of our own servers may',
      body: { ...outbound, connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true },
      at: [],
    },
    {
      name: 'by smart host needs one',
      body: { ...outbound, route: 'SmartHosts' },
      at: ['smartHosts needs at least one host when route is SmartHosts'],
    },
    { name: 'by smart host has one', body: { ...outbound, route: 'SmartHosts', smartHosts }, at: [] },
    {
      name: 'by MX has none',
      body: { ...outbound, smartHosts },
      at: ['smartHosts must be empty when route is Mx'],
    },
    {
      name: 'that validates the domain needs its name',
      body: { ...outbound, tlsSettings: 'DomainValidation' },
      at: ['tlsDomain is needed when tlsSettings is DomainValidation'],
    },
    {
      name: 'that does not has none',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', tlsDomain: 'a.example' },
      at: ['tlsDomain must be null unless tlsSettings is DomainValidation'],
    },
    {
      name: 'by SES cannot verify a certificate',
      body: { ...outbound, route: 'Ses', tlsSettings: 'CertificateValidation' },
      at: [
        "tlsSettings Amazon SES can require TLS but cannot verify the partner's certificate, so CertificateValidation needs route Mx or SmartHosts",
      ],
    },
    {
      name: 'by SES can require TLS',
      body: { ...outbound, route: 'Ses', tlsSettings: 'EncryptionOnly' },
      at: [],
    },
    {
      name: 'by SES cannot ask for TLS 1.3',
      body: { ...outbound, route: 'Ses', tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion Amazon SES does not let a sender choose TLSv1.3 as the minimum'],
    },
    {
      name: 'that asks for TLS 1.3 must ask for TLS',
      body: { ...outbound, minimumTlsVersion: 'TLSv1.3' },
      at: [
        'minimumTlsVersion TLSv1.3 needs tlsSettings, without which mail goes in the clear where TLS fails',
      ],
    },
    {
      name: 'that asks for TLS may ask for TLS 1.3',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: 'expires within 12 to 24 hours',
      body: { ...outbound, expirationHours: 11 },
      at: ['expirationHours must be at least 12'],
    },
    {
      name: 'expires within 24 hours at the latest',
      body: { ...outbound, expirationHours: 25 },
      at: ['expirationHours must be at most 24'],
    },
    {
      name: 'has no embedded wildcard',
      body: { ...outbound, recipientDomains: ['mail.*', 'northwind.example'] },
      at: [
        'recipientDomains[0] "mail.*" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
      ],
    },
    {
      name: 'has each domain once',
      body: { ...outbound, recipientDomains: ['northwind.example', 'Northwind.example'] },
      at: ['recipientDomains[1] "northwind.example" is listed twice'],
    },
    {
      name: 'expects a certificate for a host name',
      body: { ...outbound, tlsSettings: 'DomainValidation', tlsDomain: '*' },
      at: ['tlsDomain "*" is not a host name or "*.domain"'],
    },
    {
      name: 'by SES has no smart host',
      body: { ...outbound, route: 'Ses', smartHosts },
      at: ['smartHosts must be empty when route is Ses'],
    },
    {
      name: 'has smart hosts with a name or an address',
      body: { ...outbound, route: 'SmartHosts', smartHosts: [{ host: 'a b' }, { host: '2001:db8::1' }] },
      at: ['smartHosts[0].host "a b" is not a host name or an IP address'],
    },
    {
      name: 'has ports that exist',
      body: { ...outbound, route: 'SmartHosts', smartHosts: [{ host: 'a.example', port: 65536 }] },
      at: ['smartHosts[0].port must be at most 65535'],
    },
  ]
  for (const { name, body, at } of rows)
    test(name, () => assert.deepEqual(faults(OutboundConnectorInput, body), at))
})

describe('certificate authorities', () => {
  let ca: string
  before(async () => {
    ca = (await createPki()).ca
  })
  const rows: { name: string; authorities: () => string[]; at: string[] }[] = [
    {
      name: 'are one certificate each',
      authorities: () => [`${ca}\n${ca}`],
      at: ['[0] not one certificate in PEM'],
    },
    {
      name: 'have dates',
      authorities: () => [withoutDates(ca)],
      at: ['[0] not one certificate in PEM'],
    },
    {
      name: 'are twenty at most',
      authorities: () => Array(21).fill(ca),
      at: [' must have at most 20 entries'],
    },
    {
      name: 'fit into a job',
      authorities: () => [`${ca}${' '.repeat(32_768)}`],
      at: [' more than 32 KiB of certificates'],
    },
  ]
  for (const { name, authorities, at } of rows)
    test(name, () => {
      const paths = at.map((fault) => `certificateAuthorities${fault}`)
      for (const [schema, body] of [
        [InboundConnectorInput, inbound],
        [OutboundConnectorInput, outbound],
      ] as const)
        assert.deepEqual(
          faults(schema, { ...body, certificateAuthorities: authorities() }).slice(0, 1),
          paths,
        )
    })
})
