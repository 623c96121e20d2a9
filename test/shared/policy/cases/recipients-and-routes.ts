import {
  acceptedAndDelivered,
  type Chapter,
  defers,
  deliversBy,
  mailboxes,
  organisationServer,
  outboundTo,
  partner,
  relayDenied,
  tls13,
  viaSmartHosts,
} from './notation.ts'

const office = organisationServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const sending = { tls: tls13, inbound: { Office: 'Grants' } } as const
const northwind = 'b@northwind.example'
const noRoute =
  'NoRouteForAcceptedDomain until +15:00: 451 4.4.317 No outbound connector routes the accepted domain ours.example'

export const recipientsAndRoutes: Chapter = {
  title: 'Recipients: which are accepted, and the route of their mail',
  cases: [
    { name: 'a recipient in an accepted domain is accepted', expected: acceptedAndDelivered },
    {
      name: "letter case of the recipient's domain makes no difference",
      to: 'B@Ours.Example',
      outbound: { Mailboxes: 'Decides' },
      expected: acceptedAndDelivered,
    },
    {
      name: 'a recipient with the U-label of an accepted domain is accepted',
      acceptedDomains: ['xn--bcher-kva.example'],
      to: 'b@bücher.example',
      outbound: { Mailboxes: 'Decides' },
      expected: acceptedAndDelivered,
    },
    {
      name: 'a recipient in the second of two accepted domains is accepted',
      acceptedDomains: ['ours.example', 'branch.example'],
      to: 'b@branch.example',
      outbound: { Mailboxes: 'Decides' },
      expected: acceptedAndDelivered,
    },
    { name: 'a recipient in a domain that is not accepted is refused', to: northwind, expected: relayDenied },
    {
      name: 'a recipient in a domain that is not accepted is refused even if a connector matches the domain',
      connectors: [outboundTo('northwind.example')],
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: relayDenied,
    },
    {
      name: 'every recipient is refused when there are no accepted domains',
      acceptedDomains: [],
      to: 'b@ours.example',
      outbound: {},
      expected: relayDenied,
    },
    // The default route.
    {
      name: 'the default route Mx applies when no connector matches',
      connectors: [office],
      ...sending,
      to: northwind,
      expected: deliversBy('DefaultRoute by MX of northwind.example with opportunistic TLS'),
      why: 'No outbound connector matches northwind.example: default route Mx, TLS as the domain publishes it (DANE, MTA-STS), otherwise opportunistic.',
    },
    {
      name: 'the default route Ses applies when no connector matches',
      connectors: [office],
      ...sending,
      defaultRoute: 'Ses',
      to: northwind,
      expected: deliversBy('DefaultRoute by SES with opportunistic TLS'),
    },
    {
      name: 'a connector with route Mx takes precedence over the default route Ses',
      connectors: [office, outboundTo('northwind.example')],
      ...sending,
      defaultRoute: 'Ses',
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: deliversBy('ConnectorMatched by MX of northwind.example with opportunistic TLS'),
    },
    {
      name: "the route Mx uses the MX of the recipient's domain in lower case as an A-label",
      connectors: [office],
      ...sending,
      to: 'b@Bücher.Example.',
      expected: deliversBy('DefaultRoute by MX of xn--bcher-kva.example with opportunistic TLS'),
    },
    {
      name: "the route Mx of a connector for a wildcard uses the MX of the recipient's subdomain",
      connectors: [office, outboundTo('*.northwind.example')],
      ...sending,
      to: 'b@sales.northwind.example',
      outbound: { 'To *.northwind.example': 'Decides' },
      expected: deliversBy('ConnectorMatched by MX of sales.northwind.example with opportunistic TLS'),
    },
    {
      name: 'a report on TLS to the report address is stored and not delivered to a mailbox',
      tlsReportAddress: 'tls-reports@ours.example',
      to: 'TLS-Reports@ours.example',
      outbound: {},
      expected: deliversBy('TlsReport stored as a report on TLS with opportunistic TLS'),
    },
    {
      name: 'mail to another recipient than the report address is delivered to its mailbox, not stored',
      tlsReportAddress: 'tls-reports@ours.example',
      expected: deliversBy('ConnectorMatched by mbx.ours.example:25 with opportunistic TLS'),
    },
    {
      name: 'mail to the report address is refused if its domain is not accepted',
      tlsReportAddress: 'tls-reports@northwind.example',
      to: 'tls-reports@northwind.example',
      outbound: {},
      expected: {
        inSession: '550 5.7.64 Relay access denied',
        verdict: 'Bounce RelayDenied: 550 5.7.64 Relay access denied',
      },
    },
    {
      name: "a report on TLS from a partner must meet the requirements of the partner's connector",
      connectors: [partner('contoso.example')],
      from: 'reports@contoso.example',
      tlsReportAddress: 'tls-reports@ours.example',
      to: 'tls-reports@ours.example',
      inbound: { 'From contoso.example': 'Decides' },
      expected: {
        inSession: '530 5.7.0 Must issue a STARTTLS command first',
        verdict: 'Bounce InboundTlsRequired: 550 5.7.10 Encryption needed',
      },
    },
    // Routes of connectors.
    {
      name: 'a connector with the route SmartHosts routes to all its smart hosts',
      connectors: [
        office,
        outboundTo('northwind.example', viaSmartHosts('a.relay.example', 'b.relay.example')),
      ],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: deliversBy(
        'ConnectorMatched by a.relay.example:25, b.relay.example:25 with opportunistic TLS',
      ),
      why: 'It applies to mail for northwind.example: through smart hosts a.relay.example:25, b.relay.example:25',
    },
    {
      name: 'a connector with the route Ses routes through SES with its TLS level EncryptionOnly',
      connectors: [office, outboundTo('northwind.example', { route: 'Ses', tlsSettings: 'EncryptionOnly' })],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: deliversBy('ConnectorMatched by SES with EncryptionOnly'),
      why: 'through Amazon SES; EncryptionOnly',
    },
    {
      name: 'a connector with CertificateValidation requires this level of the MX route',
      connectors: [office, outboundTo('northwind.example', { tlsSettings: 'CertificateValidation' })],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: deliversBy('ConnectorMatched by MX of northwind.example with CertificateValidation'),
    },
    {
      name: 'a connector with DomainValidation requires this level with its tlsDomain',
      connectors: [
        office,
        outboundTo('northwind.example', {
          tlsSettings: 'DomainValidation',
          tlsDomain: '*.northwind.example',
        }),
      ],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: deliversBy(
        'ConnectorMatched by MX of northwind.example with DomainValidation of *.northwind.example',
      ),
    },
    {
      name: 'a connector with minimumTlsVersion TLSv1.3 requires this version',
      connectors: [
        office,
        outboundTo('northwind.example', { tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' }),
      ],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: deliversBy('ConnectorMatched by MX of northwind.example with EncryptionOnly over TLSv1.3'),
    },
    // Accepted domains.
    {
      name: "a connector to the organisation's mailboxes may force TLS",
      mailboxes: false,
      connectors: [mailboxes({ tlsSettings: 'EncryptionOnly' })],
      outbound: { Mailboxes: 'Decides' },
      expected: deliversBy('ConnectorMatched by mbx.ours.example:25 with EncryptionOnly'),
    },
    {
      name: 'mail for an accepted domain without a connector is held',
      mailboxes: false,
      expected: defers(noRoute),
    },
    {
      name: 'mail for an accepted domain is held if its connector is disabled, and the explanation names the connector',
      mailboxes: false,
      connectors: [mailboxes({ enabled: false })],
      outbound: { Mailboxes: 'Disabled' },
      expected: defers(noRoute),
    },
    {
      name: 'a connector for `*` with route Mx does not apply to an accepted domain, because it would cause a mail loop',
      mailboxes: false,
      connectors: [outboundTo('*')],
      outbound: { 'To *': 'NotApplicable' },
      expected: defers(noRoute),
      why: 'this connector would cause a mail loop to mailflow',
    },
    {
      name: 'a connector for `*` with route Ses does not apply to an accepted domain',
      mailboxes: false,
      connectors: [outboundTo('*', { route: 'Ses' })],
      outbound: { 'To *': 'NotApplicable' },
      expected: defers(noRoute),
    },
    {
      name: 'a connector for `*` with smart hosts applies to an accepted domain',
      mailboxes: false,
      connectors: [outboundTo('*', viaSmartHosts('relay.example'))],
      outbound: { 'To *': 'Decides' },
      expected: deliversBy('ConnectorMatched by relay.example:25 with opportunistic TLS'),
    },
    {
      name: 'the default route does not apply to an accepted domain',
      mailboxes: false,
      defaultRoute: 'Ses',
      expected: defers(noRoute),
    },
    {
      name: 'a message that mailflow created for an accepted domain without a connector is held',
      mailboxes: false,
      createdByMailflow: true,
      from: '',
      expected: { ...defers(noRoute), inSession: null },
    },
  ],
}
