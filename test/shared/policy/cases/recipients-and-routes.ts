import {
  by,
  type Chapter,
  leaves,
  mailboxes,
  ourServer,
  relayDenied,
  taken,
  tls13,
  toward,
  waits,
} from './notation.ts'

const office = ourServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const sending = { tls: tls13, inbound: { Office: 'Grants' } } as const
const northwind = 'b@northwind.example'
const noRoute =
  'NoRouteForAcceptedDomain until +15:00: 451 4.4.317 No outbound connector routes the accepted domain ours.example'

export const recipientsAndRoutes: Chapter = {
  title: 'Recipients: who is taken, and by which way the mail leaves',
  cases: [
    { name: 'a recipient of ours', expected: taken },
    {
      name: 'letter case makes no difference',
      to: 'B@Ours.Example',
      outbound: { Mailboxes: 'Decides' },
      expected: taken,
    },
    {
      name: 'an accepted domain of international letters, by its U-label',
      acceptedDomains: ['xn--bcher-kva.example'],
      to: 'b@bücher.example',
      outbound: { Mailboxes: 'Decides' },
      expected: taken,
    },
    {
      name: 'a second accepted domain',
      acceptedDomains: ['ours.example', 'branch.example'],
      to: 'b@branch.example',
      outbound: { Mailboxes: 'Decides' },
      expected: taken,
    },
    { name: 'a foreign recipient', to: northwind, expected: relayDenied },
    {
      name: 'a foreign recipient is foreign even with a connector towards its domain',
      connectors: [toward('northwind.example')],
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: relayDenied,
    },
    {
      name: 'without accepted domains everyone is foreign',
      acceptedDomains: [],
      to: 'b@ours.example',
      outbound: {},
      expected: relayDenied,
    },
    // The default route.
    {
      name: 'no connector: the default route, by MX',
      connectors: [office],
      ...sending,
      to: northwind,
      expected: leaves('DefaultRoute by MX of northwind.example with opportunistic TLS'),
      why: 'No outbound connector matches northwind.example: default route Mx, opportunistic TLS.',
    },
    {
      name: 'no connector: the default route, by SES',
      connectors: [office],
      ...sending,
      defaultRoute: 'Ses',
      to: northwind,
      expected: leaves('DefaultRoute by SES with opportunistic TLS'),
    },
    {
      name: 'a connector by MX goes before a default of SES',
      connectors: [office, toward('northwind.example')],
      ...sending,
      defaultRoute: 'Ses',
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: leaves('ConnectorMatched by MX of northwind.example with opportunistic TLS'),
    },
    {
      name: 'the MX is that of the recipient’s domain, as an A-label',
      connectors: [office],
      ...sending,
      to: 'b@Bücher.Example.',
      expected: leaves('DefaultRoute by MX of xn--bcher-kva.example with opportunistic TLS'),
    },
    {
      name: 'of a subdomain, its own MX',
      connectors: [office, toward('*.northwind.example')],
      ...sending,
      to: 'b@sales.northwind.example',
      outbound: { 'To *.northwind.example': 'Decides' },
      expected: leaves('ConnectorMatched by MX of sales.northwind.example with opportunistic TLS'),
    },
    // The ways of connectors.
    {
      name: 'by smart hosts',
      connectors: [office, toward('northwind.example', by('a.relay.example', 'b.relay.example'))],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: leaves('ConnectorMatched by a.relay.example:25, b.relay.example:25 with opportunistic TLS'),
      why: 'It takes northwind.example by smart host [a.relay.example:25, b.relay.example:25]',
    },
    {
      name: 'by SES, with TLS',
      connectors: [office, toward('northwind.example', { route: 'Ses', tlsSettings: 'EncryptionOnly' })],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: leaves('ConnectorMatched by SES with EncryptionOnly'),
      why: 'by Amazon SES',
    },
    {
      name: 'with a certificate that has to be valid',
      connectors: [office, toward('northwind.example', { tlsSettings: 'CertificateValidation' })],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: leaves('ConnectorMatched by MX of northwind.example with CertificateValidation'),
    },
    {
      name: 'with a certificate of a name',
      connectors: [
        office,
        toward('northwind.example', { tlsSettings: 'DomainValidation', tlsDomain: '*.northwind.example' }),
      ],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: leaves(
        'ConnectorMatched by MX of northwind.example with DomainValidation of *.northwind.example',
      ),
    },
    {
      name: 'with TLSv1.3',
      connectors: [
        office,
        toward('northwind.example', { tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' }),
      ],
      ...sending,
      to: northwind,
      outbound: { 'To northwind.example': 'Decides' },
      expected: leaves('ConnectorMatched by MX of northwind.example with EncryptionOnly over TLSv1.3'),
    },
    // Our own domains.
    {
      name: 'forced TLS to our own mailboxes, too',
      mailboxes: false,
      connectors: [mailboxes({ tlsSettings: 'EncryptionOnly' })],
      outbound: { Mailboxes: 'Decides' },
      expected: leaves('ConnectorMatched by mbx.ours.example:25 with EncryptionOnly'),
    },
    {
      name: 'an accepted domain without a connector waits for one',
      mailboxes: false,
      expected: waits(noRoute),
    },
    {
      name: 'its connector is disabled: it waits, and the connector is named',
      mailboxes: false,
      connectors: [mailboxes({ enabled: false })],
      outbound: { Mailboxes: 'Disabled' },
      expected: waits(noRoute),
    },
    {
      name: '`*` by MX would lead back here, so it does not count',
      mailboxes: false,
      connectors: [toward('*')],
      outbound: { 'To *': 'NotApplicable' },
      expected: waits(noRoute),
      why: 'this connector would bring the mail back here',
    },
    {
      name: 'nor does `*` by SES',
      mailboxes: false,
      connectors: [toward('*', { route: 'Ses' })],
      outbound: { 'To *': 'NotApplicable' },
      expected: waits(noRoute),
    },
    {
      name: '`*` by smart hosts does',
      mailboxes: false,
      connectors: [toward('*', by('relay.example'))],
      outbound: { 'To *': 'Decides' },
      expected: leaves('ConnectorMatched by relay.example:25 with opportunistic TLS'),
    },
    {
      name: 'the default route is not for our own domains',
      mailboxes: false,
      defaultRoute: 'Ses',
      expected: waits(noRoute),
    },
    {
      name: 'a message of ours to a domain of ours waits likewise',
      mailboxes: false,
      madeHere: true,
      from: '',
      expected: { ...waits(noRoute), inSession: null },
    },
  ],
}
