import {
  accepted,
  acceptedAndDelivered,
  afterSession,
  type Chapter,
  certificate,
  contosoMail,
  defers,
  mustStartTls,
  organisationServer,
  outboundTo,
  partner,
  publicCa,
  relayDenied,
  requiringAddresses,
  requiringCertificate,
  tls12,
  tls13,
  tlsWithCertificate,
} from './notation.ts'

const hold = { onViolation: 'Defer' } as const
const from = 'a@contoso.example'
const contoso = { 'From contoso.example': 'Decides' } as const
const day = 24 * 60
const renamed = await certificate(publicCa, 'mx7.contoso.example')
const restricted = 'Sender domain is restricted to its own servers'

const inTheClear = { connectors: [partner('contoso.example', hold)], from, inbound: contoso }
const anotherCertificate = {
  connectors: [partner('contoso.example', { ...hold, ...requiringCertificate('mail.contoso.example') })],
  from,
  tls: tlsWithCertificate(renamed),
  inbound: contoso,
}

export const deferAndHold: Chapter = {
  title: 'Defer: mail is held instead of refused',
  cases: [
    {
      name: 'mail in the clear is accepted and held',
      ...inTheClear,
      expected: defers('InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'mail in the clear is refused with onViolation Bounce',
      connectors: [partner('contoso.example')],
      from,
      inbound: contoso,
      expected: mustStartTls,
    },
    {
      name: 'mail over an old TLS version is held',
      connectors: [partner('contoso.example', { ...hold, minimumTlsVersion: 'TLSv1.3' })],
      from,
      tls: tls12,
      inbound: contoso,
      expected: defers('InboundTlsVersion until +15:00: 451 4.7.10 Encryption needed: TLSv1.3 or later'),
    },
    {
      name: 'mail from a wrong address is held',
      connectors: [partner('contoso.example', { ...hold, ...requiringAddresses('198.51.100.0/24') })],
      from,
      tls: tls13,
      inbound: contoso,
      expected: defers(`InboundAddressRestriction until +15:00: 451 4.7.51 ${restricted}`),
    },
    {
      name: 'mail is held after the partner renewed its certificate with another name, which the explanation quotes',
      ...anotherCertificate,
      expected: defers(`InboundCertificateRestriction until +15:00: 451 4.7.51 ${restricted}`),
      why: 'presented names [mx7.contoso.example], expected [mail.contoso.example]',
    },
    {
      name: 'held mail is decided again at each multiple of 15 minutes after receipt',
      ...anotherCertificate,
      minutes: 31,
      expected: afterSession(`Defer InboundCertificateRestriction until +45:00: 451 4.7.51 ${restricted}`),
    },
    {
      name: 'exactly at a multiple of 15 minutes, held mail is decided again at the next multiple',
      ...anotherCertificate,
      minutes: 30,
      expected: afterSession(`Defer InboundCertificateRestriction until +45:00: 451 4.7.51 ${restricted}`),
    },
    {
      name: 'the held mail is delivered after the administrator adds the new name',
      ...anotherCertificate,
      connectors: [
        partner('contoso.example', {
          ...hold,
          ...requiringCertificate('mail.contoso.example', 'mx7.contoso.example'),
        }),
      ],
      minutes: 45,
      expected: afterSession(acceptedAndDelivered.verdict),
    },
    {
      name: 'the held mail is delivered after the administrator pins the new certificate',
      ...anotherCertificate,
      connectors: [
        partner('contoso.example', {
          ...hold,
          ...requiringCertificate('mail.contoso.example'),
          certificateFingerprints: [renamed.fingerprint256],
        }),
      ],
      minutes: 45,
      expected: afterSession(acceptedAndDelivered.verdict),
    },
    {
      name: 'the held mail is delivered after the connector is disabled',
      ...inTheClear,
      connectors: [partner('contoso.example', { ...hold, enabled: false })],
      inbound: { 'From contoso.example': 'Disabled' },
      minutes: 45,
      expected: afterSession(acceptedAndDelivered.verdict),
    },
    {
      name: 'the held mail is delivered after the connector is set to ReportOnly',
      ...inTheClear,
      connectors: [partner('contoso.example', { ...hold, mode: 'ReportOnly' })],
      inbound: { 'From contoso.example': 'Reports' },
      minutes: 45,
      expected: afterSession(`${acceptedAndDelivered.verdict} (would refuse: InboundTlsRequired)`),
    },
    {
      name: 'the held mail bounces after onViolation of the connector is set to Bounce',
      ...inTheClear,
      connectors: [partner('contoso.example')],
      minutes: 45,
      expected: afterSession('Bounce InboundTlsRequired: 550 5.7.10 Encryption needed'),
    },
    {
      name: 'held mail stays held when an administrator requests the next attempt, because the violation remains',
      ...inTheClear,
      minutes: 1,
      retry: true,
      expected: afterSession('Defer InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'a certificate that was valid in the session stays valid while the mail is held',
      connectors: [partner('contoso.example', { ...hold, ...requiringCertificate('mail.contoso.example') })],
      from,
      inbound: contoso,
      tls: tlsWithCertificate({ ...contosoMail, notAfter: new Date(Date.now() + 60_000).toISOString() }),
      minutes: 120,
      expected: afterSession(acceptedAndDelivered.verdict),
    },
    {
      name: 'the sender of held mail is notified after four hours',
      ...inTheClear,
      minutes: 240,
      expected: afterSession(
        'Defer InboundTlsRequired until +255:00, the sender is notified: 451 4.7.10 Encryption needed',
      ),
    },
    {
      name: 'the sender of held mail is not notified before four hours',
      ...inTheClear,
      minutes: 239,
      expected: afterSession('Defer InboundTlsRequired until +240:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'the sender of held mail is notified only once',
      ...inTheClear,
      minutes: 255,
      recipient: { delayNotified: true },
      expected: afterSession('Defer InboundTlsRequired until +270:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'the sender <> of held mail is never notified',
      connectors: [partner('*', hold)],
      from: '',
      inbound: { 'From *': 'Decides' },
      minutes: 240,
      expected: afterSession('Defer InboundTlsRequired until +255:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'mail is held until it expires',
      ...inTheClear,
      minutes: day - 1,
      recipient: { delayNotified: true },
      expected: afterSession('Defer InboundTlsRequired until +1440:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'held mail bounces after a day',
      ...inTheClear,
      minutes: day,
      expected: afterSession('Bounce InboundTlsRequired: 550 5.7.10 Encryption needed'),
    },
    {
      name: "held mail bounces after twelve hours if the recipient's outbound connector sets this expiry",
      ...inTheClear,
      connectors: [
        partner('contoso.example', hold),
        outboundTo('ours.example', {
          route: 'SmartHosts',
          smartHosts: [{ host: 'mbx.ours.example', port: 25 }],
          expirationHours: 12,
        }),
      ],
      outbound: { 'To ours.example': 'Decides', Mailboxes: 'Outranked' },
      minutes: 12 * 60,
      expected: afterSession('Bounce InboundTlsRequired: 550 5.7.10 Encryption needed'),
    },
    {
      name: "relayed mail in the clear from the organisation's server is also held",
      connectors: [organisationServer({ ...hold, senderIpAddresses: ['192.0.2.1'] })],
      to: 'b@northwind.example',
      inbound: { 'Our server': 'Decides' },
      expected: defers('InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'mail for a domain that is not accepted is refused in session with "Relay access denied", not held',
      ...inTheClear,
      to: 'b@northwind.example',
      expected: {
        inSession: relayDenied.inSession,
        verdict: 'Defer InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed',
      },
    },
    {
      name: 'mail for an accepted domain without a route is also held',
      mailboxes: false,
      expected: defers(
        'NoRouteForAcceptedDomain until +15:00: 451 4.4.317 No outbound connector routes the accepted domain ours.example',
      ),
      why: 'and its MX host is usually mailflow itself, which would cause a mail loop',
    },
    {
      name: 'the violation is the reason if the accepted domain also has no route',
      ...inTheClear,
      mailboxes: false,
      expected: {
        inSession: accepted,
        verdict: 'Defer InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed',
      },
    },
    {
      name: 'mail for an accepted domain without a route bounces after a day',
      mailboxes: false,
      minutes: day,
      expected: afterSession(
        'Bounce NoRouteForAcceptedDomain: 451 4.4.7 Message expired: No outbound connector routes the accepted domain ours.example',
      ),
    },
  ],
}
