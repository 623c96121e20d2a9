import {
  acceptedAndDelivered,
  afterSession,
  type Chapter,
  contosoMail,
  delivers,
  failed,
  mustStartTls,
  noStartTls,
  ourServer,
  outboundTo,
  partner,
  relayDenied,
  reportedOnly,
  requiringAddresses,
  requiringCertificate,
  tls12,
  tls13,
  tlsWithCertificate,
  wrongCertificate,
} from './notation.ts'

const trial = { mode: 'ReportOnly' } as const
const from = 'a@contoso.example'
const abroad = 'b@northwind.example'
const office = ourServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const sending = { tls: tls13, inbound: { Office: 'Grants' }, to: abroad } as const

export const reportOnly: Chapter = {
  title: 'ReportOnly: evaluated and recorded, not enforced',
  cases: [
    // Inbound
    {
      name: 'mail in the clear is accepted, and the verdict says what would have been refused',
      connectors: [partner('contoso.example', trial)],
      from,
      expected: reportedOnly('InboundTlsRequired'),
      inbound: { 'From contoso.example': 'Reports' },
      why: 'Connector "From contoso.example" requires TLS, and this session has no TLS.',
    },
    {
      name: 'mail that meets the requirements is reported without a violation',
      connectors: [partner('contoso.example', trial)],
      from,
      tls: tls13,
      expected: acceptedAndDelivered,
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'an old TLS version is only reported',
      connectors: [partner('contoso.example', { ...trial, minimumTlsVersion: 'TLSv1.3' })],
      from,
      tls: tls12,
      expected: reportedOnly('InboundTlsVersion'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'a missing certificate is only reported',
      connectors: [partner('contoso.example', { ...trial, ...requiringCertificate('mail.contoso.example') })],
      from,
      tls: tls13,
      expected: reportedOnly('InboundCertificateRestriction'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'a wrong address is only reported',
      connectors: [partner('contoso.example', { ...trial, ...requiringAddresses('198.51.100.0/24') })],
      from,
      tls: tls13,
      expected: reportedOnly('InboundAddressRestriction'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'onViolation Defer holds nothing either',
      connectors: [partner('contoso.example', { ...trial, onViolation: 'Defer' })],
      from,
      expected: reportedOnly('InboundTlsRequired'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'relay is still denied',
      connectors: [partner('contoso.example', trial)],
      from,
      to: abroad,
      expected: {
        ...relayDenied,
        verdict: `${relayDenied.verdict} (would refuse: InboundTlsRequired)`,
      },
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'an enforced connector and a report-only one are evaluated separately',
      connectors: [
        partner('contoso.example', { name: 'In force' }),
        partner('contoso.example', {
          name: 'Trial',
          ...trial,
          ...requiringCertificate('mail.contoso.example'),
        }),
      ],
      from,
      tls: tls13,
      expected: reportedOnly('InboundCertificateRestriction'),
      inbound: { 'In force': 'Decides', Trial: 'Reports' },
    },
    {
      name: 'a report-only connector relaxes nothing in force, though its name comes first',
      connectors: [
        partner('contoso.example', { name: 'B in force' }),
        partner('contoso.example', { name: 'A trial', ...trial, requireTls: false }),
      ],
      from,
      expected: mustStartTls,
      inbound: { 'B in force': 'Decides', 'A trial': 'Reports' },
    },
    {
      name: 'a report-only connector relaxes nothing in force, though it is for the exact domain',
      connectors: [partner('*'), partner('contoso.example', { ...trial, requireTls: false })],
      from,
      expected: mustStartTls,
      inbound: { 'From *': 'Decides', 'From contoso.example': 'Reports' },
    },
    {
      name: 'a report-only connector relaxes nothing in force, though it has stricter requirements',
      connectors: [
        partner('contoso.example', { name: 'In force', ...requiringCertificate('mail.contoso.example') }),
        partner('contoso.example', {
          name: 'Trial',
          ...trial,
          ...requiringCertificate('*.contoso.example', '*.example'),
        }),
      ],
      from,
      tls: tls13,
      expected: {
        ...wrongCertificate,
        verdict: `${wrongCertificate.verdict} (would refuse: InboundCertificateRestriction)`,
      },
      inbound: { 'In force': 'Decides', Trial: 'Reports' },
    },
    {
      name: 'the more specific of two report-only connectors reports',
      connectors: [partner('*.example', trial), partner('contoso.example', trial)],
      from,
      expected: reportedOnly('InboundTlsRequired'),
      inbound: { 'From contoso.example': 'Reports', 'From *.example': 'Outranked' },
    },
    {
      name: 'a report-only connector lets our own server relay in the clear',
      connectors: [ourServer({ ...trial, senderIpAddresses: ['192.0.2.1'] })],
      to: abroad,
      expected: delivers(
        'DefaultRoute by MX of northwind.example with opportunistic TLS (would refuse: InboundTlsRequired)',
      ),
      inbound: { 'Our server': 'Reports' },
    },
    {
      name: 'a report-only connector for our own server relaxes nothing in force',
      connectors: [
        ourServer({ name: 'B in force', senderIpAddresses: ['192.0.2.1'] }),
        ourServer({ name: 'A trial', ...trial, senderIpAddresses: ['192.0.2.1'] }),
      ],
      to: abroad,
      expected: mustStartTls,
      inbound: { 'B in force': 'Decides', 'A trial': 'Outranked' },
      why: '"B in force" is enforced, and this one only reports.',
    },
    {
      name: 'a report-only connector for our own server relaxes nothing, though it identifies the certificate',
      connectors: [
        ourServer({ name: 'In force', senderIpAddresses: ['192.0.2.1'], minimumTlsVersion: 'TLSv1.3' }),
        ourServer({ name: 'Trial', ...trial, tlsSenderCertificateNames: ['mail.contoso.example'] }),
      ],
      tls: tlsWithCertificate(contosoMail, tls12),
      to: abroad,
      expected: {
        inSession: '550 5.7.10 Encryption needed: TLSv1.3 or later',
        verdict: 'Bounce InboundTlsVersion: 550 5.7.10 Encryption needed: TLSv1.3 or later',
      },
      inbound: { 'In force': 'Decides', Trial: 'Outranked' },
    },
    // Outbound
    {
      name: "the next hop's TLS is checked and not enforced",
      connectors: [office, outboundTo('northwind.example', { ...trial, tlsSettings: 'EncryptionOnly' })],
      ...sending,
      expected: delivers('ConnectorMatched by MX of northwind.example with EncryptionOnly only reported'),
      outbound: { 'To northwind.example': 'Reports' },
      why: 'tlsSettings is EncryptionOnly; TLSv1.2 or later; report only: faults are recorded, not enforced',
    },
    {
      name: 'a more specific report-only connector does not replace the enforced one',
      connectors: [
        office,
        outboundTo('northwind.example', { ...trial, tlsSettings: 'CertificateValidation' }),
        outboundTo('*.example', { tlsSettings: 'EncryptionOnly' }),
      ],
      ...sending,
      expected: delivers('ConnectorMatched by MX of northwind.example with EncryptionOnly'),
      outbound: { 'To *.example': 'Decides', 'To northwind.example': 'Outranked' },
      why: '"To *.example" is enforced, and this one only reports.',
    },
    {
      name: 'a report-only connector applies if only a disabled connector precedes it',
      connectors: [
        office,
        outboundTo('northwind.example', { enabled: false, tlsSettings: 'EncryptionOnly' }),
        outboundTo('*', trial),
      ],
      ...sending,
      expected: delivers('ConnectorMatched by MX of northwind.example with opportunistic TLS'),
      outbound: { 'To *': 'Reports', 'To northwind.example': 'Disabled' },
    },
    {
      name: 'onTlsFailure Bounce does not bounce: the attempt was made before the connector was set to ReportOnly',
      connectors: [
        office,
        outboundTo('northwind.example', { ...trial, tlsSettings: 'EncryptionOnly', onTlsFailure: 'Bounce' }),
      ],
      ...sending,
      after: failed(0, 1, noStartTls),
      minutes: 2,
      expected: afterSession(
        'Deliver ConnectorMatched by MX of northwind.example with EncryptionOnly only reported, attempt 2',
      ),
      outbound: { 'To northwind.example': 'Reports' },
    },
  ],
}
