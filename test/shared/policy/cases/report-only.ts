import {
  acceptedAndDelivered,
  acceptedAndReported,
  afterSession,
  type Chapter,
  contosoMail,
  deliversBy,
  failedAttempt,
  mustStartTls,
  noStartTls,
  organisationServer,
  outboundTo,
  partner,
  relayDenied,
  requiringAddresses,
  requiringCertificate,
  tls12,
  tls13,
  tlsWithCertificate,
  wrongCertificate,
} from './notation.ts'

const reportOnlyMode = { mode: 'ReportOnly' } as const
const from = 'a@contoso.example'
const abroad = 'b@northwind.example'
const office = organisationServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const sending = { tls: tls13, inbound: { Office: 'Grants' }, to: abroad } as const

export const reportOnly: Chapter = {
  title: 'ReportOnly: evaluated and recorded, not enforced',
  cases: [
    // Inbound
    {
      name: 'mail in the clear is accepted, and the verdict states the reason for which it would have been refused',
      connectors: [partner('contoso.example', reportOnlyMode)],
      from,
      expected: acceptedAndReported('InboundTlsRequired'),
      inbound: { 'From contoso.example': 'Reports' },
      why: 'Connector "From contoso.example" requires TLS, and this session has no TLS.',
    },
    {
      name: 'mail that meets the requirements of the report-only connector is accepted without a reported violation',
      connectors: [partner('contoso.example', reportOnlyMode)],
      from,
      tls: tls13,
      expected: acceptedAndDelivered,
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'mail over an old TLS version is accepted and reported',
      connectors: [partner('contoso.example', { ...reportOnlyMode, minimumTlsVersion: 'TLSv1.3' })],
      from,
      tls: tls12,
      expected: acceptedAndReported('InboundTlsVersion'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'mail without a certificate is accepted and reported',
      connectors: [
        partner('contoso.example', { ...reportOnlyMode, ...requiringCertificate('mail.contoso.example') }),
      ],
      from,
      tls: tls13,
      expected: acceptedAndReported('InboundCertificateRestriction'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'mail from a wrong address is accepted and reported',
      connectors: [
        partner('contoso.example', { ...reportOnlyMode, ...requiringAddresses('198.51.100.0/24') }),
      ],
      from,
      tls: tls13,
      expected: acceptedAndReported('InboundAddressRestriction'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'onViolation Defer of a report-only connector does not hold mail',
      connectors: [partner('contoso.example', { ...reportOnlyMode, onViolation: 'Defer' })],
      from,
      expected: acceptedAndReported('InboundTlsRequired'),
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'a report-only partner connector does not permit relay',
      connectors: [partner('contoso.example', reportOnlyMode)],
      from,
      to: abroad,
      expected: {
        ...relayDenied,
        verdict: `${relayDenied.verdict} (would refuse: InboundTlsRequired)`,
      },
      inbound: { 'From contoso.example': 'Reports' },
    },
    {
      name: 'an enforced and a report-only connector are evaluated separately',
      connectors: [
        partner('contoso.example', { name: 'Enforced' }),
        partner('contoso.example', {
          name: 'Report only',
          ...reportOnlyMode,
          ...requiringCertificate('mail.contoso.example'),
        }),
      ],
      from,
      tls: tls13,
      expected: acceptedAndReported('InboundCertificateRestriction'),
      inbound: { Enforced: 'Decides', 'Report only': 'Reports' },
    },
    {
      name: 'a report-only connector relaxes no enforced requirement, although its name comes first',
      connectors: [
        partner('contoso.example', { name: 'B enforced' }),
        partner('contoso.example', { name: 'A report only', ...reportOnlyMode, requireTls: false }),
      ],
      from,
      expected: mustStartTls,
      inbound: { 'B enforced': 'Decides', 'A report only': 'Reports' },
    },
    {
      name: 'a report-only connector relaxes no enforced requirement, although it is for the exact domain',
      connectors: [partner('*'), partner('contoso.example', { ...reportOnlyMode, requireTls: false })],
      from,
      expected: mustStartTls,
      inbound: { 'From *': 'Decides', 'From contoso.example': 'Reports' },
    },
    {
      name: 'a report-only connector relaxes no enforced requirement, although it has stricter requirements',
      connectors: [
        partner('contoso.example', { name: 'Enforced', ...requiringCertificate('mail.contoso.example') }),
        partner('contoso.example', {
          name: 'Report only',
          ...reportOnlyMode,
          ...requiringCertificate('*.contoso.example', '*.example'),
        }),
      ],
      from,
      tls: tls13,
      expected: {
        ...wrongCertificate,
        verdict: `${wrongCertificate.verdict} (would refuse: InboundCertificateRestriction)`,
      },
      inbound: { Enforced: 'Decides', 'Report only': 'Reports' },
    },
    {
      name: 'the more specific of two report-only connectors reports',
      connectors: [partner('*.example', reportOnlyMode), partner('contoso.example', reportOnlyMode)],
      from,
      expected: acceptedAndReported('InboundTlsRequired'),
      inbound: { 'From contoso.example': 'Reports', 'From *.example': 'Outranked' },
    },
    {
      name: "a report-only connector lets the organisation's server relay in the clear",
      connectors: [organisationServer({ ...reportOnlyMode, senderIpAddresses: ['192.0.2.1'] })],
      to: abroad,
      expected: deliversBy(
        'DefaultRoute by MX of northwind.example with opportunistic TLS (would refuse: InboundTlsRequired)',
      ),
      inbound: { 'Our server': 'Reports' },
    },
    {
      name: "a report-only connector for the organisation's server relaxes no enforced requirement",
      connectors: [
        organisationServer({ name: 'B enforced', senderIpAddresses: ['192.0.2.1'] }),
        organisationServer({ name: 'A report only', ...reportOnlyMode, senderIpAddresses: ['192.0.2.1'] }),
      ],
      to: abroad,
      expected: mustStartTls,
      inbound: { 'B enforced': 'Decides', 'A report only': 'Outranked' },
      why: '"B enforced" is enforced, and this connector only reports.',
    },
    {
      name: "a report-only connector for the organisation's server relaxes no enforced requirement, although it identifies the certificate and the enforced connector the address",
      connectors: [
        organisationServer({
          name: 'Enforced',
          senderIpAddresses: ['192.0.2.1'],
          minimumTlsVersion: 'TLSv1.3',
        }),
        organisationServer({
          name: 'Report only',
          ...reportOnlyMode,
          tlsSenderCertificateNames: ['mail.contoso.example'],
        }),
      ],
      tls: tlsWithCertificate(contosoMail, tls12),
      to: abroad,
      expected: {
        inSession: '550 5.7.10 Encryption needed: TLSv1.3 or later',
        verdict: 'Bounce InboundTlsVersion: 550 5.7.10 Encryption needed: TLSv1.3 or later',
      },
      inbound: { Enforced: 'Decides', 'Report only': 'Outranked' },
    },
    // Outbound
    {
      name: 'the TLS requirement of a report-only outbound connector is recorded and not enforced',
      connectors: [
        office,
        outboundTo('northwind.example', { ...reportOnlyMode, tlsSettings: 'EncryptionOnly' }),
      ],
      ...sending,
      expected: deliversBy('ConnectorMatched by MX of northwind.example with EncryptionOnly only reported'),
      outbound: { 'To northwind.example': 'Reports' },
      why: 'only recorded: EncryptionOnly; TLSv1.2 or later',
    },
    {
      name: 'a more specific report-only outbound connector does not replace an enforced one',
      connectors: [
        office,
        outboundTo('northwind.example', { ...reportOnlyMode, tlsSettings: 'CertificateValidation' }),
        outboundTo('*.example', { tlsSettings: 'EncryptionOnly' }),
      ],
      ...sending,
      expected: deliversBy('ConnectorMatched by MX of northwind.example with EncryptionOnly'),
      outbound: { 'To *.example': 'Decides', 'To northwind.example': 'Outranked' },
      why: '"To *.example" is enforced, and this connector only reports.',
    },
    {
      name: 'a report-only outbound connector applies if the only more specific connector is disabled',
      connectors: [
        office,
        outboundTo('northwind.example', { enabled: false, tlsSettings: 'EncryptionOnly' }),
        outboundTo('*', reportOnlyMode),
      ],
      ...sending,
      expected: deliversBy('ConnectorMatched by MX of northwind.example with opportunistic TLS'),
      outbound: { 'To *': 'Reports', 'To northwind.example': 'Disabled' },
    },
    {
      name: 'onTlsFailure Bounce of a report-only connector does not bounce after an attempt that failed while it was enforced',
      connectors: [
        office,
        outboundTo('northwind.example', {
          ...reportOnlyMode,
          tlsSettings: 'EncryptionOnly',
          onTlsFailure: 'Bounce',
        }),
      ],
      ...sending,
      lastAttempt: failedAttempt(0, 1, noStartTls),
      minutes: 2,
      expected: afterSession(
        'Deliver ConnectorMatched by MX of northwind.example with EncryptionOnly only reported, attempt 2',
      ),
      outbound: { 'To northwind.example': 'Reports' },
    },
  ],
}
