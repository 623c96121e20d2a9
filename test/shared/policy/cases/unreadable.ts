import {
  acceptedAndDelivered,
  type Case,
  type Chapter,
  notRoutable,
  organisationServer,
  partner,
  relayDenied,
  requiringCertificate,
  tls13,
  unreadableSender,
} from './notation.ts'

const ownServer = organisationServer({ senderIpAddresses: ['192.0.2.1'] })

export const unreadable: Chapter = {
  title: 'Unreadable: senders and recipients without a valid domain',
  cases: [
    // The attack: a sender evades the partner's connector, because its domain looks like the partner's but is invalid.
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
        name: `a sender without a valid domain is refused: ${JSON.stringify(from)}`,
        connectors: [partner(['contoso.example', '*.contoso.example', '*'])],
        from,
        expected: unreadableSender,
      }),
    ),
    {
      name: 'an unreadable sender is refused even over TLS and without any connector',
      tls: tls13,
      from: 'a@contoso.example/x',
      expected: unreadableSender,
    },
    {
      name: "an unreadable sender is refused even from the organisation's server, because no connector matches it",
      connectors: [ownServer],
      tls: tls13,
      from: 'a@contoso.example/x',
      to: 'b@foreign.example',
      expected: unreadableSender,
    },
    {
      name: 'the reason is the sender when both sender and recipient are unreadable',
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
        name: `a recipient without a valid domain is refused: ${to}`,
        to,
        expected: notRoutable,
        outbound: {},
      }),
    ),
    {
      name: "a recipient without a valid domain is refused even from the organisation's server",
      connectors: [ownServer],
      tls: tls13,
      to: 'b@[192.0.2.9]',
      expected: notRoutable,
      inbound: { 'Our server': 'Grants' },
    },
    {
      name: "the reason is the violation of the partner's connector when the recipient is unreadable too",
      connectors: [partner('contoso.example', requiringCertificate('mail.contoso.example'))],
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
      name: 'a recipient in capitals with a final dot is in an accepted domain',
      to: 'b@OURS.example.',
      outbound: { Mailboxes: 'Decides' },
      expected: acceptedAndDelivered,
    },
    {
      name: 'a recipient in a domain that only looks like an accepted domain is refused',
      to: 'b@\u043eurs.example',
      expected: relayDenied,
    },
  ],
}
