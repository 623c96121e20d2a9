import {
  accepted,
  type Chapter,
  certificate,
  contosoMail,
  later,
  mustStartTls,
  onlyFrom,
  onlyWithCertificate,
  ourServer,
  partner,
  publicCa,
  relayDenied,
  showing,
  taken,
  tls12,
  tls13,
  toward,
  waits,
} from './notation.ts'

const hold = { onViolation: 'Defer' } as const
const from = 'a@contoso.example'
const contoso = { 'From contoso.example': 'Decides' } as const
const day = 24 * 60
const renamed = await certificate(publicCa, 'mx7.contoso.example')
const restricted = 'Sender domain is restricted to its own servers'

const inTheClear = { connectors: [partner('contoso.example', hold)], from, inbound: contoso }
const anotherCertificate = {
  connectors: [partner('contoso.example', { ...hold, ...onlyWithCertificate('mail.contoso.example') })],
  from,
  tls: showing(renamed),
  inbound: contoso,
}

export const deferAndHold: Chapter = {
  title: 'Defer: mail is held instead of refused',
  cases: [
    {
      name: 'mail in the clear is taken and held',
      ...inTheClear,
      expected: waits('InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'with onViolation Bounce it would have been refused',
      connectors: [partner('contoso.example')],
      from,
      inbound: contoso,
      expected: mustStartTls,
    },
    {
      name: 'an old version of TLS',
      connectors: [partner('contoso.example', { ...hold, minimumTlsVersion: 'TLSv1.3' })],
      from,
      tls: tls12,
      inbound: contoso,
      expected: waits('InboundTlsVersion until +15:00: 451 4.7.10 Encryption needed: TLSv1.3 or later'),
    },
    {
      name: 'a wrong address',
      connectors: [partner('contoso.example', { ...hold, ...onlyFrom('198.51.100.0/24') })],
      from,
      tls: tls13,
      inbound: contoso,
      expected: waits(`InboundAddressRestriction until +15:00: 451 4.7.51 ${restricted}`),
    },
    {
      name: 'the partner renewed its certificate under another name: its mail is held, and the name is said',
      ...anotherCertificate,
      expected: waits(`InboundCertificateRestriction until +15:00: 451 4.7.51 ${restricted}`),
      why: 'presented names [mx7.contoso.example], expected [mail.contoso.example]',
    },
    {
      name: 'it is decided again each quarter of an hour since receipt',
      ...anotherCertificate,
      minutes: 31,
      expected: later(`Defer InboundCertificateRestriction until +45:00: 451 4.7.51 ${restricted}`),
    },
    {
      name: 'exactly at the quarter the next one counts',
      ...anotherCertificate,
      minutes: 30,
      expected: later(`Defer InboundCertificateRestriction until +45:00: 451 4.7.51 ${restricted}`),
    },
    {
      name: 'the administrator adds the new name: the held mail flows',
      ...anotherCertificate,
      connectors: [
        partner('contoso.example', {
          ...hold,
          ...onlyWithCertificate('mail.contoso.example', 'mx7.contoso.example'),
        }),
      ],
      minutes: 45,
      expected: later(taken.verdict),
    },
    {
      name: 'or pins the new certificate',
      ...anotherCertificate,
      connectors: [
        partner('contoso.example', {
          ...hold,
          ...onlyWithCertificate('mail.contoso.example'),
          certificateFingerprints: [renamed.fingerprint256],
        }),
      ],
      minutes: 45,
      expected: later(taken.verdict),
    },
    {
      name: 'or disables the connector',
      ...inTheClear,
      connectors: [partner('contoso.example', { ...hold, enabled: false })],
      inbound: { 'From contoso.example': 'Disabled' },
      minutes: 45,
      expected: later(taken.verdict),
    },
    {
      name: 'or puts it on trial',
      ...inTheClear,
      connectors: [partner('contoso.example', { ...hold, mode: 'ReportOnly' })],
      inbound: { 'From contoso.example': 'Reports' },
      minutes: 45,
      expected: later(`${taken.verdict} (would refuse: InboundTlsRequired)`),
    },
    {
      name: 'or decides for Bounce after all: what is held bounces',
      ...inTheClear,
      connectors: [partner('contoso.example')],
      minutes: 45,
      expected: later('Bounce InboundTlsRequired: 550 5.7.10 Encryption needed'),
    },
    {
      name: 'to ask for the next attempt at once changes nothing of a violation',
      ...inTheClear,
      minutes: 1,
      retry: true,
      expected: later('Defer InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'a certificate that was valid at the session stays so, however long the mail is held',
      connectors: [partner('contoso.example', { ...hold, ...onlyWithCertificate('mail.contoso.example') })],
      from,
      inbound: contoso,
      tls: showing({ ...contosoMail, notAfter: new Date(Date.now() + 60_000).toISOString() }),
      minutes: 120,
      expected: later(taken.verdict),
    },
    {
      name: 'after four hours the sender is told',
      ...inTheClear,
      minutes: 240,
      expected: later(
        'Defer InboundTlsRequired until +255:00, the sender is told: 451 4.7.10 Encryption needed',
      ),
    },
    {
      name: 'not before',
      ...inTheClear,
      minutes: 239,
      expected: later('Defer InboundTlsRequired until +240:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'and only once',
      ...inTheClear,
      minutes: 255,
      recipient: { delayNotified: true },
      expected: later('Defer InboundTlsRequired until +270:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'a message from <> is never answered',
      connectors: [partner('*', hold)],
      from: '',
      inbound: { 'From *': 'Decides' },
      minutes: 240,
      expected: later('Defer InboundTlsRequired until +255:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'just before it expires',
      ...inTheClear,
      minutes: day - 1,
      recipient: { delayNotified: true },
      expected: later('Defer InboundTlsRequired until +1440:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'after a day it bounces',
      ...inTheClear,
      minutes: day,
      expected: later('Bounce InboundTlsRequired: 550 5.7.10 Encryption needed'),
    },
    {
      name: 'the outbound connector of the recipient may set another time',
      ...inTheClear,
      connectors: [
        partner('contoso.example', hold),
        toward('ours.example', {
          route: 'SmartHosts',
          smartHosts: [{ host: 'mbx.ours.example', port: 25 }],
          expirationHours: 12,
        }),
      ],
      outbound: { 'To ours.example': 'Decides', Mailboxes: 'Outranked' },
      minutes: 12 * 60,
      expected: later('Bounce InboundTlsRequired: 550 5.7.10 Encryption needed'),
    },
    {
      name: 'our own server in the clear, held: its relayed mail too',
      connectors: [ourServer({ ...hold, senderIpAddresses: ['192.0.2.1'] })],
      to: 'b@northwind.example',
      inbound: { 'Our server': 'Decides' },
      expected: waits('InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed'),
    },
    {
      name: 'nothing is held for a foreign domain: relay is denied in session',
      ...inTheClear,
      to: 'b@northwind.example',
      expected: {
        inSession: relayDenied.inSession,
        verdict: 'Defer InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed',
      },
    },
    {
      name: 'an accepted domain that no connector routes is held as well',
      mailboxes: false,
      expected: waits(
        'NoRouteForAcceptedDomain until +15:00: 451 4.4.317 No outbound connector routes the accepted domain ours.example',
      ),
      why: 'and its MX would bring the mail back to mailflow',
    },
    {
      name: 'the violation is what is said where both would hold it',
      ...inTheClear,
      mailboxes: false,
      expected: {
        inSession: accepted,
        verdict: 'Defer InboundTlsRequired until +15:00: 451 4.7.10 Encryption needed',
      },
    },
    {
      name: 'an accepted domain that no connector routed for a day',
      mailboxes: false,
      minutes: day,
      expected: later(
        'Bounce NoRouteForAcceptedDomain: 451 4.4.7 Message expired: No outbound connector routes the accepted domain ours.example',
      ),
    },
  ],
}
