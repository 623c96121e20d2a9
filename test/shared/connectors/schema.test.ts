import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InboundConnectorInput, OutboundConnectorInput } from '../../../shared/connectors/schema.ts'

const inbound = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
const onPremises = { ...inbound, connectorType: 'OnPremises', senderIpAddresses: ['192.0.2.1'] }
const outbound = { name: 'Northwind', connectorType: 'Partner', recipientDomains: ['northwind.example'] }
const smartHosts = [{ host: 'mail.northwind.example' }]

/** Paths at fault, in order of appearance. */
const faults = (
  schema: typeof InboundConnectorInput | typeof OutboundConnectorInput,
  body: unknown,
): string[] =>
  (schema.safeParse(body).error?.issues ?? []).flatMap(({ path, ...issue }) =>
    issue.code === 'unrecognized_keys' ? issue.keys : path.join('.'),
  )

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
      at: ['restrictDomainsToIpAddresses'],
    },
    {
      name: 'needs a certificate to restrict by',
      body: { ...inbound, restrictDomainsToCertificate: true },
      at: ['restrictDomainsToCertificate'],
    },
    {
      name: 'needs addresses to restrict by',
      body: { ...inbound, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses'],
    },
    {
      name: 'that names a certificate needs TLS',
      body: { ...inbound, requireTls: false, tlsSenderCertificateNames: ['a.example'] },
      at: ['requireTls'],
    },
    {
      name: 'that asks for TLS 1.3 must ask for TLS',
      body: { ...inbound, requireTls: false, minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion'],
    },
    {
      name: 'that asks for TLS may ask for TLS 1.3',
      body: { ...inbound, minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: 'of a partner cannot make mail internal',
      body: { ...inbound, treatMessagesAsInternal: true },
      at: ['treatMessagesAsInternal'],
    },
    { name: 'of our own servers may', body: { ...onPremises, treatMessagesAsInternal: true }, at: [] },
    {
      name: 'of our own servers must identify them',
      body: { ...onPremises, senderIpAddresses: [] },
      at: ['senderIpAddresses'],
    },
    {
      name: 'of our own servers does not restrict',
      body: { ...onPremises, restrictDomainsToIpAddresses: true },
      at: ['restrictDomainsToIpAddresses'],
    },
    {
      name: 'has no embedded wildcard',
      body: { ...inbound, senderDomains: ['a.*.example', '*', '*.b.example'] },
      at: ['senderDomains.0'],
    },
    {
      name: 'has addresses and ranges',
      body: { ...inbound, senderIpAddresses: ['2001:db8::/32', '192.0.2.300', '10.0.0.0/33'] },
      at: ['senderIpAddresses.1', 'senderIpAddresses.2'],
    },
    { name: 'has no line breaks in its name', body: { ...inbound, name: 'a\r\nb' }, at: ['name'] },
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
      at: ['name', 'senderDomains.0', 'unknown', 'restrictDomainsToIpAddresses', 'treatMessagesAsInternal'],
    },
    {
      name: 'is not judged by a field that is unreadable',
      body: { ...inbound, senderIpAddresses: 'x', restrictDomainsToIpAddresses: true },
      at: ['senderIpAddresses'],
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
    { name: 'needs a domain', body: { ...outbound, recipientDomains: [] }, at: ['recipientDomains'] },
    {
      name: 'of a partner does not take every accepted domain',
      body: { ...outbound, allAcceptedDomains: true },
      at: ['allAcceptedDomains'],
    },
    {
      name: 'of our own servers may',
      body: { ...outbound, connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true },
      at: [],
    },
    { name: 'by smart host needs one', body: { ...outbound, route: 'SmartHosts' }, at: ['smartHosts'] },
    { name: 'by smart host has one', body: { ...outbound, route: 'SmartHosts', smartHosts }, at: [] },
    { name: 'by MX has none', body: { ...outbound, smartHosts }, at: ['smartHosts'] },
    {
      name: 'that validates the domain needs its name',
      body: { ...outbound, tlsSettings: 'DomainValidation' },
      at: ['tlsDomain'],
    },
    {
      name: 'that does not has none',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', tlsDomain: 'a.example' },
      at: ['tlsDomain'],
    },
    {
      name: 'by SES cannot verify a certificate',
      body: { ...outbound, route: 'Ses', tlsSettings: 'CertificateValidation' },
      at: ['tlsSettings'],
    },
    {
      name: 'by SES can require TLS',
      body: { ...outbound, route: 'Ses', tlsSettings: 'EncryptionOnly' },
      at: [],
    },
    {
      name: 'by SES cannot ask for TLS 1.3',
      body: { ...outbound, route: 'Ses', tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion'],
    },
    {
      name: 'that asks for TLS 1.3 must ask for TLS',
      body: { ...outbound, minimumTlsVersion: 'TLSv1.3' },
      at: ['minimumTlsVersion'],
    },
    {
      name: 'that asks for TLS may ask for TLS 1.3',
      body: { ...outbound, tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
      at: [],
    },
    {
      name: 'expires within 12 to 24 hours',
      body: { ...outbound, expirationHours: 11 },
      at: ['expirationHours'],
    },
    {
      name: 'has ports that exist',
      body: { ...outbound, route: 'SmartHosts', smartHosts: [{ host: 'a.example', port: 65536 }] },
      at: ['smartHosts.0.port'],
    },
  ]
  for (const { name, body, at } of rows)
    test(name, () => assert.deepEqual(faults(OutboundConnectorInput, body), at))
})
