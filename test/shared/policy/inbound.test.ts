import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { plaintext, type TlsFacts } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { admit } from '../../../shared/policy/admit.ts'
import { judgeInbound } from '../../../shared/policy/inbound.ts'
import {
  clientCertificate,
  inbound,
  overTls,
  overTlsWith,
  receivedAt,
  snapshot,
} from '../../support/fixtures.ts'

interface Row {
  name: string
  connectors: InboundConnector[]
  mailFrom?: string
  rcptTo?: string
  ip?: string
  tls?: TlsFacts
  expected: string
}

const onPremises = (fields: Partial<InboundConnector> = {}) =>
  inbound({ name: 'Head office', connectorType: 'OnPremises', senderDomains: ['*'], ...fields })

const byCertificate = {
  tlsSenderCertificateNames: ['mail.contoso.example'],
  restrictDomainsToCertificate: true,
}

const rows: Row[] = [
  { name: 'no connector: mail in the clear is taken', connectors: [], expected: 'Incoming' },
  {
    name: 'a partner that requires TLS, without TLS',
    connectors: [inbound()],
    mailFrom: 'a@contoso.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a partner that requires TLS, with TLS',
    connectors: [inbound()],
    mailFrom: 'a@contoso.example',
    tls: overTls,
    expected: 'Incoming',
  },
  {
    name: 'letter case and a trailing dot do not hide the partner',
    connectors: [inbound()],
    mailFrom: 'a@CONTOSO.Example.',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a U-label and its A-label are one domain',
    connectors: [inbound({ senderDomains: ['bücher.example'] })],
    mailFrom: 'a@xn--bcher-kva.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'another domain is not the partner',
    connectors: [inbound()],
    mailFrom: 'a@sub.contoso.example',
    expected: 'Incoming',
  },
  {
    name: 'a wildcard takes the domain itself',
    connectors: [inbound({ senderDomains: ['*.contoso.example'] })],
    mailFrom: 'a@contoso.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a wildcard takes deep subdomains',
    connectors: [inbound({ senderDomains: ['*.contoso.example'] })],
    mailFrom: 'a@x.y.contoso.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a wildcard takes whole labels only',
    connectors: [inbound({ senderDomains: ['*.contoso.example'] })],
    mailFrom: 'a@notcontoso.example',
    expected: 'Incoming',
  },
  {
    name: '`*` takes the null reverse path',
    connectors: [inbound({ senderDomains: ['*'] })],
    mailFrom: '',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'the exact domain goes before the wildcard, though it asks less',
    connectors: [
      inbound({ name: 'Wide', senderDomains: ['*.contoso.example'] }),
      inbound({ requireTls: false }),
    ],
    mailFrom: 'a@contoso.example',
    expected: 'Incoming',
  },
  {
    name: 'of two for one domain, the one that asks more',
    connectors: [inbound({ name: 'A', requireTls: false }), inbound({ name: 'B' })],
    mailFrom: 'a@contoso.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a disabled connector asks nothing',
    connectors: [inbound({ enabled: false })],
    mailFrom: 'a@contoso.example',
    expected: 'Incoming',
  },
  {
    name: 'a ReportOnly connector asks nothing',
    connectors: [inbound({ mode: 'ReportOnly' })],
    mailFrom: 'a@contoso.example',
    expected: 'Incoming',
  },
  {
    name: 'onViolation Defer is taken in session and held later',
    connectors: [inbound({ onViolation: 'Defer' })],
    mailFrom: 'a@contoso.example',
    expected: 'Incoming',
  },
  {
    name: 'TLSv1.2 where TLSv1.3 is the minimum',
    connectors: [inbound({ minimumTlsVersion: 'TLSv1.3' })],
    mailFrom: 'a@contoso.example',
    tls: { ...overTls, protocol: 'TLSv1.2' },
    expected: '550 5.7.10 Encryption needed: TLSv1.3 or later',
  },
  {
    name: 'a certificate restriction, none presented',
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTls,
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
  {
    name: 'a certificate restriction, met',
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith(),
    expected: 'Incoming',
  },
  {
    name: 'a certificate of the right name that nobody trusts',
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith({ trusted: false, trustError: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
  {
    name: 'a trusted certificate of another name',
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith({ subjectAltNames: ['mail.contoso.example.evil.example'] }),
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
  {
    name: 'the CN does not count beside alternative names',
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith({ commonName: 'mail.contoso.example', subjectAltNames: ['other.example'] }),
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
  {
    name: 'an expired certificate',
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith({ notAfter: '2026-01-15T11:59:59.000Z' }),
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
  {
    name: 'a pinned self-signed certificate',
    connectors: [inbound({ certificateFingerprints: ['ab'.repeat(32)], restrictDomainsToCertificate: true })],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith({ trusted: false }),
    expected: 'Incoming',
  },
  {
    name: 'an address restriction, not met',
    connectors: [inbound({ restrictDomainsToIpAddresses: true, senderIpAddresses: ['198.51.100.0/24'] })],
    mailFrom: 'a@contoso.example',
    tls: overTls,
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
  {
    name: 'an address restriction, met by an IPv4 address mapped into IPv6',
    connectors: [inbound({ restrictDomainsToIpAddresses: true, senderIpAddresses: ['198.51.100.0/24'] })],
    mailFrom: 'a@contoso.example',
    ip: '::ffff:198.51.100.7',
    tls: overTls,
    expected: 'Incoming',
  },
  ...[
    'a@contoso.example\u3002\u3002',
    'a@-x.contoso.example',
    `a@${'l'.repeat(64)}.contoso.example`,
    'a@x\u200d.contoso.example',
    'a@contoso.example/x',
    'a@contoso%2eexample',
    'a',
  ].map((mailFrom) => ({
    name: `a sender that reads like the partner's domain and is none: ${JSON.stringify(mailFrom)}`,
    connectors: [inbound({ senderDomains: ['contoso.example', '*.contoso.example'] })],
    mailFrom,
    expected: '553 5.1.7 Sender address has no valid domain',
  })),
  {
    name: 'an ideographic full stop at the end is a dot',
    connectors: [inbound()],
    mailFrom: 'a@contoso.example\u3002',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a sender at an address literal belongs to no domain, but to everyone',
    connectors: [inbound({ senderDomains: ['*'] })],
    mailFrom: 'a@[192.0.2.1]',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'a trial takes nothing from the connector that is in force for the same domain',
    connectors: [inbound(), inbound({ name: 'Trial', mode: 'ReportOnly', ...byCertificate })],
    mailFrom: 'a@contoso.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'nor from the one for everyone',
    connectors: [inbound({ senderDomains: ['*'] }), inbound({ name: 'Trial', mode: 'ReportOnly' })],
    mailFrom: 'a@contoso.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  ...[
    'mail.contoso.example\\00.evil.example',
    'mail.contoso.example/x.evil.example',
    'mail.contoso.example#.evil.example',
    'mail%2econtoso%2eexample',
  ].map((name) => ({
    name: `a trusted certificate for ${name}`,
    connectors: [inbound(byCertificate)],
    mailFrom: 'a@contoso.example',
    tls: overTlsWith({ subjectAltNames: [], commonName: name }),
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  })),
  {
    name: 'an address restriction by a range of IPv4 mapped into IPv6, met',
    connectors: [
      inbound({ restrictDomainsToIpAddresses: true, senderIpAddresses: ['::ffff:198.51.100.0/120'] }),
    ],
    mailFrom: 'a@contoso.example',
    ip: '198.51.100.7',
    tls: overTls,
    expected: 'Incoming',
  },
  {
    name: 'relay by a stranger',
    connectors: [],
    rcptTo: 'x@foreign.example',
    expected: '550 5.7.64 Relay access denied',
  },
  {
    name: 'relay by a partner',
    connectors: [inbound()],
    mailFrom: 'a@contoso.example',
    tls: overTls,
    rcptTo: 'x@foreign.example',
    expected: '550 5.7.64 Relay access denied',
  },
  {
    name: 'a subdomain of an accepted domain is foreign',
    connectors: [],
    rcptTo: 'x@sub.ours.example',
    expected: '550 5.7.64 Relay access denied',
  },
  {
    name: 'an address literal is no domain',
    connectors: [],
    rcptTo: 'x@[192.0.2.9]',
    expected: '550 5.1.2 Recipient has no domain name',
  },
  {
    name: 'relay by our own server, known by address',
    connectors: [onPremises({ senderIpAddresses: ['192.0.2.1'] })],
    tls: overTls,
    rcptTo: 'x@foreign.example',
    expected: 'Originating by id-head office',
  },
  {
    name: 'our own server by address, but in the clear',
    connectors: [onPremises({ senderIpAddresses: ['192.0.2.1'] })],
    rcptTo: 'x@foreign.example',
    expected: '530 5.7.0 Must issue a STARTTLS command first',
  },
  {
    name: 'our own server by certificate goes before one by address',
    connectors: [
      onPremises({ name: 'A by address', senderIpAddresses: ['192.0.2.0/24'] }),
      onPremises({ name: 'B by certificate', tlsSenderCertificateNames: ['*.contoso.example'] }),
    ],
    tls: overTlsWith(),
    rcptTo: 'x@foreign.example',
    expected: 'Originating by id-b by certificate',
  },
  {
    name: 'what restricts wins over what grants',
    connectors: [inbound(byCertificate), onPremises({ senderIpAddresses: ['192.0.2.1'] })],
    mailFrom: 'a@contoso.example',
    tls: overTls,
    expected: '550 5.7.51 Sender domain is restricted to its own servers',
  },
]

describe('an inbound message at RCPT TO', () => {
  for (const {
    name,
    connectors,
    mailFrom = 'a@elsewhere.example',
    rcptTo = 'b@ours.example',
    ip = '192.0.2.1',
    tls = plaintext,
    expected,
  } of rows) {
    test(name, () => {
      const rules = snapshot({ inbound: connectors })
      const admission = admit(rules, judgeInbound(rules, { ip, tls, mailFrom, at: receivedAt }), rcptTo)
      const answer =
        admission.action === 'Refuse'
          ? formatReply(admission.reply)
          : admission.direction + (admission.attributedTo ? ` by ${admission.attributedTo}` : '')
      assert.equal(answer, expected)
    })
  }
})

test('no missing TLS fact turns a certificate restriction into an acceptance', () => {
  const connectors = snapshot({ inbound: [inbound(byCertificate)] })
  const weaker = fc.record({
    negotiated: fc.constantFrom(true, false),
    protocol: fc.constantFrom(null, 'TLSv1.2', 'TLSv1.3'),
    clientCertificate: fc.option(
      fc
        .record({
          trusted: fc.boolean(),
          subjectAltNames: fc.array(fc.domain()),
          commonName: fc.option(fc.domain()),
        })
        .filter(
          ({ trusted, subjectAltNames, commonName }) =>
            !(trusted && subjectAltNames.length === 0 && commonName === 'mail.contoso.example'),
        )
        .map(clientCertificate),
    ),
  })
  fc.assert(
    fc.property(weaker, (facts) => {
      const session = {
        ip: '192.0.2.1',
        mailFrom: 'a@contoso.example',
        at: receivedAt,
        tls: { ...overTls, ...facts },
      }
      assert.notEqual(judgeInbound(connectors, session).violation, null)
    }),
  )
})
