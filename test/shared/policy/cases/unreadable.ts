import {
  type Case,
  type Chapter,
  notRoutable,
  onlyWithCertificate,
  ourServer,
  partner,
  relayDenied,
  taken,
  tls13,
  unreadableSender,
} from './notation.ts'

const ours = ourServer({ senderIpAddresses: ['192.0.2.1'] })

export const unreadable: Chapter = {
  title: 'Unreadable: senders and recipients that name no domain',
  cases: [
    // What reads like the partner's domain and is none must not slip past the partner's connector.
    ...[
      'a@contoso.example\u3002\u3002',
      'a@contoso.example..',
      'a@.contoso.example',
      'a@-x.contoso.example',
      'a@x-.contoso.example',
      `a@${'l'.repeat(64)}.contoso.example`,
      `a@${'long.'.repeat(48)}contoso.example`,
      'a@x\u200d.contoso.example',
      'a@contoso.example/x',
      'a@contoso.example#x',
      'a@contoso%2eexample',
      'a@contoso.example:25',
      'a@contoso .example',
      'a@contoso\t.example',
      'a@[contoso.example]',
      'a@127.1',
      'a@',
      'a',
    ].map(
      (from): Case => ({
        name: `a sender that names no domain is refused: ${JSON.stringify(from)}`,
        connectors: [partner(['contoso.example', '*.contoso.example', '*'])],
        from,
        expected: unreadableSender,
      }),
    ),
    {
      name: 'the same over TLS and with nothing to violate: it is the sender that is at fault',
      tls: tls13,
      from: 'a@contoso.example/x',
      expected: unreadableSender,
    },
    {
      name: 'and from our own server: no connector is asked, so none grants',
      connectors: [ours],
      tls: tls13,
      from: 'a@contoso.example/x',
      to: 'b@foreign.example',
      expected: unreadableSender,
    },
    {
      name: 'a sender at fault is told before a recipient at fault',
      from: 'a',
      to: 'b',
      expected: unreadableSender,
    },
    ...[
      'b@[192.0.2.9]',
      'b@[IPv6:2001:db8::1]',
      'b@ours.example/x',
      'b@ours%2eexample',
      'b@-ours.example',
      'b@ours..example',
      'b@127.0.0.1',
      'b@',
      'postmaster',
    ].map(
      (to): Case => ({
        name: `a recipient that names no domain is refused: ${to}`,
        to,
        expected: notRoutable,
        outbound: {},
      }),
    ),
    {
      name: 'also for our own server, which may send everywhere else',
      connectors: [ours],
      tls: tls13,
      to: 'b@[192.0.2.9]',
      expected: notRoutable,
      inbound: { 'Our server': 'Grants' },
    },
    {
      name: 'what a partner’s connector demands is told first',
      connectors: [partner('contoso.example', onlyWithCertificate('mail.contoso.example'))],
      from: 'a@contoso.example',
      tls: tls13,
      to: 'b@[192.0.2.9]',
      expected: {
        inSession: '550 5.7.51 Sender domain is restricted to its own servers',
        verdict:
          'Bounce InboundCertificateRestriction: 550 5.7.51 Sender domain is restricted to its own servers',
      },
      inbound: { 'From contoso.example': 'Decides' },
    },
    {
      name: 'a recipient in capitals with a dot at the end is one of ours',
      to: 'b@OURS.example.',
      outbound: { Mailboxes: 'Decides' },
      expected: taken,
    },
    {
      name: 'letters that look like ours are foreign',
      to: 'b@\u043eurs.example',
      expected: relayDenied,
    },
  ],
}
