import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { InboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { faultsOf } from '../../../shared/contract/schema-faults.ts'
import { outboundSchema } from '../../support/connectors.ts'
import { createPki, withoutDates } from '../../support/pki.ts'

const inbound = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
const onPremises = { ...inbound, connectorType: 'OnPremises', senderIpAddresses: ['192.0.2.1'] }
const outbound = { name: 'Northwind', connectorType: 'Partner', recipientDomains: ['northwind.example'] }
const smartHosts = [{ host: 'mail.northwind.example' }]

/** The faults in the format of the API and the command line, in order of appearance. */
const faults = (schema: typeof InboundConnectorInput | typeof outboundSchema, body: unknown): string[] => {
  const { error } = schema.safeParse(body)
  return error ? faultsOf(error).map(({ path, message }) => `${path} ${message}`) : []
}

describe('an inbound connector', () => {
  const rows: { name: string; body: object; at: string[] }[] = [
    { name: 'is accepted with only its required fields', body: inbound, at: [] },
    {
      name: 'may restrict its domains to a certificate that it names',
      body: {
        ...inbound,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['*.contoso.example'],
      },
      at: [],
    },
    {
      name: 'cannot restrict its domains both to a certificate and to addresses',
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
      name: 'needs a name or fingerprint to restrict its domains to a certificate',
      body: { ...inbound, restrictDomainsToCertificate: true },
      at: ['restrictDomainsToCertificate needs tlsSenderCertificateNames or certificateFingerprints'],
    },
    {
      name: 'needs addresses to restrict its domains to addresses',
      body: { ...inbound, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses needs senderIpAddresses'],
    },
    {
      name: 'needs requireTls when it has a certificate name',
      body: { ...inbound, requireTls: false, tlsSenderCertificateNames: ['a.example'] },
      at: ['requireTls must be true when the connector names a certificate'],
    },
    {
      name: 'needs requireTls when its minimum version is TLS 1.3',
      body: { ...inbound, requireTls: false, minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion TLSv1.3 needs requireTls; without it mail in the clear is accepted'],
    },
    {
      name: 'may have the minimum version TLS 1.3 with requireTls',
      body: { ...inbound, minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: "cannot treat a partner's messages as internal",
      body: { ...inbound, treatMessagesAsInternal: true },
      at: ['treatMessagesAsInternal is for OnPremises connectors only'],
    },
    {
      name: "may treat messages of the organisation's servers as internal",
      body: { ...onPremises, treatMessagesAsInternal: true },
      at: [],
    },
    { name: 'may have a message rate limit', body: { ...inbound, messageRateLimit: 1 }, at: [] },
    {
      name: 'needs a message rate limit of at least 1',
      body: { ...inbound, messageRateLimit: 0 },
      at: ['messageRateLimit must be at least 1'],
    },
    {
      name: 'needs a whole number as message rate limit',
      body: { ...inbound, messageRateLimit: 1.5 },
      at: ['messageRateLimit must be a whole number'],
    },
    { name: 'may have null as message rate limit', body: { ...onPremises, messageRateLimit: null }, at: [] },
    {
      name: 'of the type OnPremises must identify its servers by address or certificate',
      body: { ...onPremises, senderIpAddresses: [] },
      at: [
        'senderIpAddresses an OnPremises connector grants relay, so it needs senderIpAddresses, tlsSenderCertificateNames or certificateFingerprints',
      ],
    },
    {
      name: 'of the type OnPremises cannot restrict its domains to addresses',
      body: { ...onPremises, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses is for Partner connectors only'],
    },
    {
      name: 'cannot have a wildcard inside a sender domain',
      body: { ...inbound, senderDomains: ['a.*.example', '*', '*.b.example', '*.*.example', '*c.example'] },
      at: [
        'senderDomains[0] "a.*.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
        'senderDomains[3] "*.*.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
        'senderDomains[4] "*c.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
      ],
    },
    {
      name: 'cannot have a sender domain that is no domain',
      body: { ...inbound, senderDomains: ['a@b.example', '192.0.2.1'] },
      at: [
        'senderDomains[0] "a@b.example" is not a domain, "*.domain" or "*"',
        'senderDomains[1] "192.0.2.1" is not a domain, "*.domain" or "*"',
      ],
    },
    {
      name: 'needs a sender domain',
      body: { ...inbound, senderDomains: [] },
      at: ['senderDomains must not be empty'],
    },
    {
      name: 'cannot list a domain twice, even in two forms',
      body: { ...inbound, senderDomains: ['*.BÜCHER.example.', 'b.example', '*.xn--bcher-kva.example'] },
      at: ['senderDomains[2] "*.xn--bcher-kva.example" is listed twice'],
    },
    {
      name: 'cannot list an address twice, even in two forms',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/48', '192.0.2.1', '2001:DB8::/48'] },
      at: ['senderIpAddresses[2] "2001:DB8::/48" is listed twice'],
    },
    {
      name: 'cannot list a certificate name twice, even in two forms',
      body: { ...inbound, tlsSenderCertificateNames: ['a.example', 'A.example.'] },
      at: ['tlsSenderCertificateNames[1] "a.example" is listed twice'],
    },
    {
      name: 'cannot list a fingerprint twice, even once with colons and once without',
      body: { ...inbound, certificateFingerprints: ['ab'.repeat(32), Array(32).fill('AB').join(':')] },
      at: [`certificateFingerprints[1] "${'ab'.repeat(32)}" is listed twice`],
    },
    {
      name: 'cannot have a certificate name that is no host name',
      body: { ...inbound, tlsSenderCertificateNames: ['*', 'mail.*.example', '*.contoso.example'] },
      at: [
        'tlsSenderCertificateNames[0] "*" is not a host name or "*.domain"',
        'tlsSenderCertificateNames[1] "mail.*.example" is not a host name or "*.domain": a wildcard is the whole first label',
      ],
    },
    {
      name: 'cannot have a fingerprint that is not SHA-256',
      body: { ...inbound, certificateFingerprints: ['ab'.repeat(20)] },
      at: ['certificateFingerprints[0] not a SHA-256 fingerprint (64 hexadecimal digits)'],
    },
    {
      name: 'needs requireTls when it pins a certificate',
      body: { ...inbound, requireTls: false, certificateFingerprints: ['ab'.repeat(32)] },
      at: ['requireTls must be true when the connector names a certificate'],
    },
    {
      name: 'of the type OnPremises cannot restrict its domains to a certificate',
      body: {
        ...onPremises,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['a.example'],
      },
      at: ['restrictDomainsToCertificate is for Partner connectors only'],
    },
    {
      name: 'cannot have certificate authorities that are not PEM',
      body: { ...inbound, certificateAuthorities: ['MIIB', '-----BEGIN CERTIFICATE-----'] },
      at: [
        'certificateAuthorities[0] not one certificate in PEM',
        'certificateAuthorities[1] not one certificate in PEM',
      ],
    },
    {
      name: 'cannot have invalid addresses or ranges',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/32', '192.0.2.300', '10.0.0.0/33'] },
      at: [
        'senderIpAddresses[1] "192.0.2.300" is not an IP address or a CIDR range',
        'senderIpAddresses[2] "10.0.0.0/33" is not an IP address or a CIDR range',
      ],
    },
    {
      name: 'cannot have a line break in its name',
      body: { ...inbound, name: 'a\r\nb' },
      at: ['name has the invisible character U+000D'],
    },
    {
      name: 'cannot have two spaces in a row in its name',
      body: { ...inbound, name: 'From  Contoso' },
      at: ['name has two spaces in a row'],
    },
    {
      name: 'is refused with a list of all its faults',
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
      name: 'is refused only for the wrong type of a field, not also by rules about its value',
      body: { ...inbound, senderIpAddresses: 'x', restrictDomainsToIpAddresses: true },
      at: ['senderIpAddresses must be a list, not a string'],
    },
  ]
  for (const { name, body, at } of rows)
    test(name, () => assert.deepEqual(faults(InboundConnectorInput, body), at))

  test('has its sender domains in lower case, as A-labels, without a trailing dot', () => {
    const { senderDomains } = InboundConnectorInput.parse({
      ...inbound,
      senderDomains: ['*.BÜCHER.example.'],
    })
    assert.deepEqual(senderDomains, ['*.xn--bcher-kva.example'])
  })
})

describe('an outbound connector', () => {
  const rows: { name: string; body: object; at: string[] }[] = [
    { name: 'is accepted with only its required fields', body: outbound, at: [] },
    {
      name: 'needs a recipient domain or allAcceptedDomains',
      body: { ...outbound, recipientDomains: [] },
      at: ['recipientDomains needs at least one domain, unless allAcceptedDomains is true'],
    },
    {
      name: 'of the type Partner cannot be for all accepted domains',
      body: { ...outbound, allAcceptedDomains: true },
      at: ['allAcceptedDomains is for OnPremises connectors only'],
    },
    {
      name: 'of the type OnPremises may be for all accepted domains',
      body: { ...outbound, connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true },
      at: [],
    },
    {
      name: 'needs a smart host for the route SmartHosts',
      body: { ...outbound, route: 'SmartHosts' },
      at: ['smartHosts needs at least one host when route is SmartHosts'],
    },
    {
      name: 'may have a smart host for the route SmartHosts',
      body: { ...outbound, route: 'SmartHosts', smartHosts },
      at: [],
    },
    {
      name: 'cannot have a smart host for the route Mx',
      body: { ...outbound, smartHosts },
      at: [
        'smartHosts must be empty when route is Mx; if route is missing, it is Mx, the default of this deployment',
      ],
    },
    {
      name: 'needs tlsDomain for DomainValidation',
      body: { ...outbound, tlsSettings: 'DomainValidation' },
      at: ['tlsDomain is needed when tlsSettings is DomainValidation'],
    },
    {
      name: 'cannot have a tlsDomain without DomainValidation',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', tlsDomain: 'a.example' },
      at: ['tlsDomain must be null unless tlsSettings is DomainValidation'],
    },
    {
      name: 'cannot verify a certificate through SES',
      body: { ...outbound, route: 'Ses', tlsSettings: 'CertificateValidation' },
      at: [
        "tlsSettings Amazon SES can require TLS but cannot verify the partner's certificate, so CertificateValidation needs route Mx or SmartHosts",
      ],
    },
    {
      name: 'may require TLS through SES',
      body: { ...outbound, route: 'Ses', tlsSettings: 'EncryptionOnly' },
      at: [],
    },
    {
      name: 'cannot require TLS 1.3 through SES',
      body: { ...outbound, route: 'Ses', tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion Amazon SES does not let a sender choose TLSv1.3 as the minimum'],
    },
    {
      name: 'needs tlsSettings when its minimum version is TLS 1.3',
      body: { ...outbound, minimumTlsVersion: 'TLSv1.3' },
      at: [
        'minimumTlsVersion TLSv1.3 needs tlsSettings; without it mail is sent in the clear where TLS fails',
      ],
    },
    {
      name: 'may have the minimum version TLS 1.3 with tlsSettings',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: 'cannot require DANE through SES',
      body: { ...outbound, route: 'Ses', smtpDaneMode: 'Mandatory' },
      at: [
        'smtpDaneMode Amazon SES does not check TLSA records on request, so Mandatory needs route Mx or SmartHosts',
      ],
    },
    {
      name: 'cannot require MTA-STS through SES',
      body: { ...outbound, route: 'Ses', mtaStsMode: 'Mandatory' },
      at: ['mtaStsMode Amazon SES does not check MTA-STS policies on request, so Mandatory needs route Mx'],
    },
    {
      name: 'cannot require DANE of a smart host that is an IP address',
      body: {
        ...outbound,
        route: 'SmartHosts',
        smartHosts: [{ host: 'mail.contoso.example' }, { host: '192.0.2.1' }],
        smtpDaneMode: 'Mandatory',
      },
      at: [
        'smtpDaneMode an IP address has no TLSA records, so Mandatory needs smartHosts by name, not 192.0.2.1',
      ],
    },
    {
      name: 'may require DANE of a smart host with a name',
      body: {
        ...outbound,
        route: 'SmartHosts',
        smartHosts: [{ host: 'mail.contoso.example' }],
        smtpDaneMode: 'Mandatory',
      },
      at: [],
    },
    {
      name: 'cannot require MTA-STS of smart hosts',
      body: {
        ...outbound,
        route: 'SmartHosts',
        smartHosts: [{ host: 'mail.contoso.example' }],
        mtaStsMode: 'Mandatory',
      },
      at: [
        'mtaStsMode an MTA-STS policy lists the MX hosts of a domain and no smart hosts, so Mandatory needs route Mx; for smart hosts use tlsSettings or smtpDaneMode',
      ],
    },
    {
      name: 'may require DANE, MTA-STS and a certificate',
      body: {
        ...outbound,
        tlsSettings: 'CertificateValidation',
        smtpDaneMode: 'Mandatory',
        mtaStsMode: 'Mandatory',
      },
      at: [],
    },
    {
      name: 'cannot have an expiration below 12 hours',
      body: { ...outbound, expirationHours: 11 },
      at: ['expirationHours must be at least 12'],
    },
    {
      name: 'cannot have an expiration above 24 hours',
      body: { ...outbound, expirationHours: 25 },
      at: ['expirationHours must be at most 24'],
    },
    {
      name: 'cannot have a wildcard that is not the first label of a recipient domain',
      body: { ...outbound, recipientDomains: ['mail.*', 'northwind.example'] },
      at: [
        'recipientDomains[0] "mail.*" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
      ],
    },
    {
      name: 'cannot list a recipient domain twice',
      body: { ...outbound, recipientDomains: ['northwind.example', 'Northwind.example'] },
      at: ['recipientDomains[1] "northwind.example" is listed twice'],
    },
    {
      name: 'needs a host name as tlsDomain',
      body: { ...outbound, tlsSettings: 'DomainValidation', tlsDomain: '*' },
      at: ['tlsDomain "*" is not a host name or "*.domain"'],
    },
    {
      name: 'cannot have a smart host for the route Ses',
      body: { ...outbound, route: 'Ses', smartHosts },
      at: ['smartHosts must be empty when route is Ses'],
    },
    {
      name: 'needs a host name or an IP address for each smart host',
      body: { ...outbound, route: 'SmartHosts', smartHosts: [{ host: 'a b' }, { host: '2001:db8::1' }] },
      at: ['smartHosts[0].host "a b" is not a host name or an IP address'],
    },
    {
      name: 'cannot have a smart host with a port above 65535',
      body: { ...outbound, route: 'SmartHosts', smartHosts: [{ host: 'a.example', port: 65536 }] },
      at: ['smartHosts[0].port must be at most 65535'],
    },
  ]
  for (const { name, body, at } of rows) test(name, () => assert.deepEqual(faults(outboundSchema, body), at))
})

describe('the certificateAuthorities of a connector', () => {
  let ca: string
  before(async () => {
    ca = (await createPki()).ca
  })
  const rows: { name: string; authorities: () => string[]; at: string[] }[] = [
    {
      name: 'must be one certificate each',
      authorities: () => [`${ca}\n${ca}`],
      at: ['[0] not one certificate in PEM'],
    },
    {
      name: 'must have readable dates',
      authorities: () => [withoutDates(ca)],
      at: ['[0] not one certificate in PEM'],
    },
    {
      name: 'must be at most twenty',
      authorities: () => Array(21).fill(ca),
      at: [' must have at most 20 entries'],
    },
    {
      name: 'must be at most 32 KiB together',
      authorities: () => [`${ca}${' '.repeat(32_768)}`],
      at: [' more than 32 KiB of certificates'],
    },
  ]
  for (const { name, authorities, at } of rows)
    test(name, () => {
      const paths = at.map((fault) => `certificateAuthorities${fault}`)
      for (const [schema, body] of [
        [InboundConnectorInput, inbound],
        [outboundSchema, outbound],
      ] as const)
        assert.deepEqual(
          faults(schema, { ...body, certificateAuthorities: authorities() }).slice(0, 1),
          paths,
        )
    })
})
