import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { InboundConnectorInput, OutboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { faultsOf } from '../../../shared/contract/schema-faults.ts'
import { createPki, withoutDates } from '../../support/pki.ts'

const inbound = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
const onPremises = { ...inbound, connectorType: 'OnPremises', senderIpAddresses: ['192.0.2.1'] }
const outbound = { name: 'Northwind', connectorType: 'Partner', recipientDomains: ['northwind.example'] }
const smartHosts = [{ host: 'mail.northwind.example' }]

/** The faults in the format of the API and the command line, in order of appearance. */
const faults = (
  schema: typeof InboundConnectorInput | typeof OutboundConnectorInput,
  body: unknown,
): string[] => {
  const { error } = schema.safeParse(body)
  return error ? faultsOf(error).map(({ path, message }) => `${path} ${message}`) : []
}

describe('an inbound connector', () => {
  const rows: { name: string; body: object; at: string[] }[] = [
    { name: 'is accepted with its defaults', body: inbound, at: [] },
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
      name: 'needs a certificate to restrict by certificate',
      body: { ...inbound, restrictDomainsToCertificate: true },
      at: ['restrictDomainsToCertificate needs tlsSenderCertificateNames or certificateFingerprints'],
    },
    {
      name: 'needs addresses to restrict by address',
      body: { ...inbound, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses needs senderIpAddresses'],
    },
    {
      name: 'needs TLS when it names a certificate',
      body: { ...inbound, requireTls: false, tlsSenderCertificateNames: ['a.example'] },
      at: ['requireTls must be true when the connector names a certificate'],
    },
    {
      name: 'needs TLS when it requires TLS 1.3',
      body: { ...inbound, requireTls: false, minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion TLSv1.3 needs requireTls; without it mail in the clear is accepted'],
    },
    {
      name: 'may require TLS 1.3 when it requires TLS',
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
    { name: 'may limit the messages per minute', body: { ...inbound, messageRateLimit: 1 }, at: [] },
    {
      name: 'needs a limit of at least one message per minute',
      body: { ...inbound, messageRateLimit: 0 },
      at: ['messageRateLimit must be at least 1'],
    },
    {
      name: 'needs a whole number as message limit',
      body: { ...inbound, messageRateLimit: 1.5 },
      at: ['messageRateLimit must be a whole number'],
    },
    { name: 'may have no message limit', body: { ...onPremises, messageRateLimit: null }, at: [] },
    {
      name: "must identify the organisation's servers",
      body: { ...onPremises, senderIpAddresses: [] },
      at: [
        'senderIpAddresses an OnPremises connector grants relay, so it needs senderIpAddresses, tlsSenderCertificateNames or certificateFingerprints',
      ],
    },
    {
      name: "does not restrict the organisation's servers by address",
      body: { ...onPremises, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses is for Partner connectors only'],
    },
    {
      name: 'refuses an embedded wildcard',
      body: { ...inbound, senderDomains: ['a.*.example', '*', '*.b.example', '*.*.example', '*c.example'] },
      at: [
        'senderDomains[0] "a.*.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
        'senderDomains[3] "*.*.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
        'senderDomains[4] "*c.example" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
      ],
    },
    {
      name: 'refuses sender domains that are no domains',
      body: { ...inbound, senderDomains: ['a@b.example', '192.0.2.1'] },
      at: [
        'senderDomains[0] "a@b.example" is not a domain, "*.domain" or "*"',
        'senderDomains[1] "192.0.2.1" is not a domain, "*.domain" or "*"',
      ],
    },
    {
      name: 'needs a domain',
      body: { ...inbound, senderDomains: [] },
      at: ['senderDomains must not be empty'],
    },
    {
      name: 'refuses a domain that is listed twice in different forms',
      body: { ...inbound, senderDomains: ['*.BÜCHER.example.', 'b.example', '*.xn--bcher-kva.example'] },
      at: ['senderDomains[2] "*.xn--bcher-kva.example" is listed twice'],
    },
    {
      name: 'refuses an address that is listed twice',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/48', '192.0.2.1', '2001:DB8::/48'] },
      at: ['senderIpAddresses[2] "2001:DB8::/48" is listed twice'],
    },
    {
      name: 'refuses a certificate name that is listed twice',
      body: { ...inbound, tlsSenderCertificateNames: ['a.example', 'A.example.'] },
      at: ['tlsSenderCertificateNames[1] "a.example" is listed twice'],
    },
    {
      name: 'refuses a fingerprint that is listed twice, with colons or without',
      body: { ...inbound, certificateFingerprints: ['ab'.repeat(32), Array(32).fill('AB').join(':')] },
      at: [`certificateFingerprints[1] "${'ab'.repeat(32)}" is listed twice`],
    },
    {
      name: 'refuses certificate names that are no host names',
      body: { ...inbound, tlsSenderCertificateNames: ['*', 'mail.*.example', '*.contoso.example'] },
      at: [
        'tlsSenderCertificateNames[0] "*" is not a host name or "*.domain"',
        'tlsSenderCertificateNames[1] "mail.*.example" is not a host name or "*.domain": a wildcard is the whole first label',
      ],
    },
    {
      name: 'refuses fingerprints that are not SHA-256',
      body: { ...inbound, certificateFingerprints: ['ab'.repeat(20)] },
      at: ['certificateFingerprints[0] not a SHA-256 fingerprint (64 hexadecimal digits)'],
    },
    {
      name: 'needs TLS when it pins a certificate',
      body: { ...inbound, requireTls: false, certificateFingerprints: ['ab'.repeat(32)] },
      at: ['requireTls must be true when the connector names a certificate'],
    },
    {
      name: "does not restrict the organisation's servers by certificate",
      body: {
        ...onPremises,
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['a.example'],
      },
      at: ['restrictDomainsToCertificate is for Partner connectors only'],
    },
    {
      name: 'refuses authorities that are not PEM',
      body: { ...inbound, certificateAuthorities: ['MIIB', '-----BEGIN CERTIFICATE-----'] },
      at: [
        'certificateAuthorities[0] not one certificate in PEM',
        'certificateAuthorities[1] not one certificate in PEM',
      ],
    },
    {
      name: 'refuses invalid addresses and ranges',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/32', '192.0.2.300', '10.0.0.0/33'] },
      at: [
        'senderIpAddresses[1] "192.0.2.300" is not an IP address or a CIDR range',
        'senderIpAddresses[2] "10.0.0.0/33" is not an IP address or a CIDR range',
      ],
    },
    {
      name: 'refuses a line break in its name',
      body: { ...inbound, name: 'a\r\nb' },
      at: ['name has control characters'],
    },
    {
      name: 'is refused with all its faults',
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
      name: 'skips rules about a field that is invalid itself',
      body: { ...inbound, senderIpAddresses: 'x', restrictDomainsToIpAddresses: true },
      at: ['senderIpAddresses must be a list, not a string'],
    },
  ]
  for (const { name, body, at } of rows)
    test(name, () => assert.deepEqual(faults(InboundConnectorInput, body), at))

  test('stores domains in lower case, as A-labels, without a trailing dot', () => {
    const { senderDomains } = InboundConnectorInput.parse({
      ...inbound,
      senderDomains: ['*.BÜCHER.example.'],
    })
    assert.deepEqual(senderDomains, ['*.xn--bcher-kva.example'])
  })
})

describe('an outbound connector', () => {
  const rows: { name: string; body: object; at: string[] }[] = [
    { name: 'is accepted with its defaults', body: outbound, at: [] },
    {
      name: 'needs a domain',
      body: { ...outbound, recipientDomains: [] },
      at: ['recipientDomains needs at least one domain, unless allAcceptedDomains is true'],
    },
    {
      name: 'cannot deliver all accepted domains to a partner',
      body: { ...outbound, allAcceptedDomains: true },
      at: ['allAcceptedDomains is for OnPremises connectors only'],
    },
    {
      name: "may deliver all accepted domains to the organisation's servers",
      body: { ...outbound, connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true },
      at: [],
    },
    {
      name: 'needs a smart host for the route SmartHosts',
      body: { ...outbound, route: 'SmartHosts' },
      at: ['smartHosts needs at least one host when route is SmartHosts'],
    },
    {
      name: 'accepts a smart host for the route SmartHosts',
      body: { ...outbound, route: 'SmartHosts', smartHosts },
      at: [],
    },
    {
      name: 'refuses a smart host for the route Mx',
      body: { ...outbound, smartHosts },
      at: ['smartHosts must be empty when route is Mx'],
    },
    {
      name: 'needs tlsDomain for DomainValidation',
      body: { ...outbound, tlsSettings: 'DomainValidation' },
      at: ['tlsDomain is needed when tlsSettings is DomainValidation'],
    },
    {
      name: 'refuses tlsDomain without DomainValidation',
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
      name: 'needs tlsSettings when it requires TLS 1.3',
      body: { ...outbound, minimumTlsVersion: 'TLSv1.3' },
      at: [
        'minimumTlsVersion TLSv1.3 needs tlsSettings; without it mail is sent in the clear where TLS fails',
      ],
    },
    {
      name: 'may require TLS 1.3 with tlsSettings',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: 'expires after 12 hours at the earliest',
      body: { ...outbound, expirationHours: 11 },
      at: ['expirationHours must be at least 12'],
    },
    {
      name: 'expires after 24 hours at the latest',
      body: { ...outbound, expirationHours: 25 },
      at: ['expirationHours must be at most 24'],
    },
    {
      name: 'refuses an embedded wildcard',
      body: { ...outbound, recipientDomains: ['mail.*', 'northwind.example'] },
      at: [
        'recipientDomains[0] "mail.*" is not a domain, "*.domain" or "*": a wildcard is the whole first label',
      ],
    },
    {
      name: 'refuses a domain that is listed twice',
      body: { ...outbound, recipientDomains: ['northwind.example', 'Northwind.example'] },
      at: ['recipientDomains[1] "northwind.example" is listed twice'],
    },
    {
      name: 'needs a host name as tlsDomain',
      body: { ...outbound, tlsSettings: 'DomainValidation', tlsDomain: '*' },
      at: ['tlsDomain "*" is not a host name or "*.domain"'],
    },
    {
      name: 'refuses a smart host for the route Ses',
      body: { ...outbound, route: 'Ses', smartHosts },
      at: ['smartHosts must be empty when route is Ses'],
    },
    {
      name: 'needs a name or an address for each smart host',
      body: { ...outbound, route: 'SmartHosts', smartHosts: [{ host: 'a b' }, { host: '2001:db8::1' }] },
      at: ['smartHosts[0].host "a b" is not a host name or an IP address'],
    },
    {
      name: 'refuses ports that do not exist',
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
      name: 'must be one certificate each',
      authorities: () => [`${ca}\n${ca}`],
      at: ['[0] not one certificate in PEM'],
    },
    {
      name: 'must have dates',
      authorities: () => [withoutDates(ca)],
      at: ['[0] not one certificate in PEM'],
    },
    {
      name: 'must be at most twenty',
      authorities: () => Array(21).fill(ca),
      at: [' must have at most 20 entries'],
    },
    {
      name: 'must fit into a job',
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
