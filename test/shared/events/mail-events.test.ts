import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventId, MailEvent } from '../../../shared/contract/events.ts'
import type { AttemptContext } from '../../../shared/contract/jobs.ts'
import { softwareVersion } from '../../../shared/contract/software-version.ts'
import {
  acceptedEvent,
  attemptEvents,
  certificateSeenEvent,
  type DecisionFacts,
  decisionEvent,
  notifiedEvent,
} from '../../../shared/events/mail-events.ts'
import {
  attempt,
  authenticated,
  message,
  overTls,
  overTlsWith,
  receivedAt,
  recipient,
} from '../../support/fixtures.ts'

const at = receivedAt.toISOString()
const mail = message({ headerMessageId: '<a1@elsewhere.example>' })
const { id } = mail
const address = 'b@northwind.example'

/** The columns that every event of the message has. */
const ofMessage = {
  messageId: id,
  headerMessageId: '<a1@elsewhere.example>',
  direction: 'Incoming',
  sender: 'a@elsewhere.example',
  senderDomain: 'elsewhere.example',
  clientIp: '192.0.2.1',
  size: 1000,
  softwareVersion,
}
const ofRecipient = { ...ofMessage, recipient: address, recipientDomain: 'northwind.example' }

function assertEvent(event: MailEvent | undefined, expected: object): void {
  assert.deepEqual(event, expected)
  assert.doesNotThrow(() => MailEvent.parse(event))
}

describe('an Accepted event', () => {
  const rows: [name: string, fields: Parameters<typeof message>[0], columns: object][] = [
    ['of a session in the clear', {}, {}],
    ['of a session with TLS', { tls: overTls }, { tlsVersion: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }],
    [
      'of a client with a certificate that is not trusted',
      {
        tls: overTlsWith({
          trusted: false,
          trustError: 'CERT_HAS_EXPIRED',
          revocation: { status: 'Good', detail: '' },
        }),
      },
      {
        tlsVersion: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        clientCertificateSha256: 'ab'.repeat(32),
        clientCertificateNames: 'mail.contoso.example',
        clientCertificateSubject: 'CN=mail.contoso.example',
        clientCertificateIssuer: 'CN=Some Public CA',
        clientCertificateVerdict: 'CERT_HAS_EXPIRED',
        clientAuth: true,
        revocation: 'Good',
      },
    ],
    [
      'of a client with an expired certificate without names, which is not for clients',
      {
        tls: overTlsWith({ subjectAltNames: [], notAfter: '2026-01-15T11:59:59.000Z', clientAuth: false }),
      },
      {
        tlsVersion: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        clientCertificateSha256: 'ab'.repeat(32),
        clientCertificateNames: '',
        clientCertificateCommonName: 'mail.contoso.example',
        clientCertificateSubject: 'CN=mail.contoso.example',
        clientCertificateIssuer: 'CN=Some Public CA',
        clientCertificateVerdict: 'trusted',
        clientCertificateValidity: 'Expired',
        clientAuth: false,
      },
    ],
    [
      'with REQUIRETLS and a result of DMARC',
      {
        envelope: { ...mail.envelope, requireTls: true },
        authentication: authenticated('fail', 'other.example'),
      },
      { requireTls: true, dmarc: 'fail', fromDomain: 'other.example' },
    ],
    [
      'without a single domain in From:',
      { authentication: authenticated('permerror', null) },
      { dmarc: 'permerror' },
    ],
    [
      'of Exchange Online',
      {
        exchangeOnline: {
          tenantIds: ['72f9', 'un usable'],
          originatorOrganizations: [],
          alignedSignatures: null,
        },
      },
      { tenantIds: '72f9 un%20usable', originatorOrganizations: '' },
    ],
  ]
  for (const [name, fields, columns] of rows)
    test(name, () =>
      assertEvent(acceptedEvent({ ...mail, ...fields }, 3, null), {
        ...ofMessage,
        id: eventId('Accepted', id),
        kind: 'Accepted',
        at,
        partner: 'elsewhere.example',
        recipients: 3,
        helo: 'client.example',
        ...columns,
      }),
    )

  test('has the connector that applied, with its mode and the level that it requires of the client', () => {
    const connector = { id: 'id-contoso', mode: 'ReportOnly', requiredLevel: 'EncryptionOnly' } as const
    const { inboundConnector, mode, requiredLevel } = acceptedEvent(mail, 1, connector)
    assert.deepEqual([inboundConnector, mode, requiredLevel], ['id-contoso', 'ReportOnly', 'EncryptionOnly'])
  })

  test('of a DSN has no client and no partner', () => {
    const dsn = message({ source: null, mailFrom: '', direction: 'Originating' })
    const { clientIp, helo, partner, sender, senderDomain } = acceptedEvent(dsn, 1, null)
    assert.deepEqual(
      [clientIp, helo, partner, sender, senderDomain],
      [undefined, undefined, undefined, '', undefined],
    )
  })
})

describe('the event of a decision', () => {
  const decision: DecisionFacts = {
    action: 'Deliver',
    reason: 'ConnectorMatched',
    connectors: { inbound: 'id-contoso', outbound: 'id-northwind' },
    at,
    connectorsVersion: 7,
    reply: null,
    considered: [
      { connector: 'id-contoso', name: 'Contoso', mode: 'Enforce' },
      { connector: 'id-northwind', name: 'Northwind', mode: 'ReportOnly' },
      { connector: 'id-other', name: 'Other', mode: 'Enforce' },
    ],
  }
  const position = '00000#'
  const dueAt = '2026-01-15T11:59:58.000Z'
  const job = { position, dueAt }
  const decided = {
    ...ofRecipient,
    at: dueAt,
    partner: 'elsewhere.example',
    inboundConnector: 'id-contoso',
    outboundConnector: 'id-northwind',
    connectorsVersion: 7,
    reason: 'ConnectorMatched',
  }
  const rows: [
    name: string,
    facts: Partial<DecisionFacts>,
    decidedBy: string | null,
    attempts: number,
    columns: object,
  ][] = [
    [
      'to deliver, by an outbound connector in ReportOnly mode',
      {},
      'Northwind',
      0,
      {
        kind: 'Decided',
        id: eventId('Decided', id, address, position),
        decision: 'Deliver',
        state: 'Pending',
        mode: 'ReportOnly',
      },
    ],
    [
      'to defer, by an inbound connector',
      { action: 'Defer', reason: 'InboundTlsRequired', reply: '451 4.7.10 TLS is required' },
      'Contoso',
      0,
      {
        kind: 'Decided',
        id: eventId('Decided', id, address, position),
        decision: 'Defer',
        state: 'Deferred',
        mode: 'Enforce',
        reason: 'InboundTlsRequired',
        reply: '451 4.7.10 TLS is required',
      },
    ],
    [
      'to bounce after two attempts, by a connector that the message does not have',
      { action: 'Bounce', reason: 'Expired', reply: '550 5.4.7 expired' },
      'Other',
      2,
      {
        kind: 'Bounced',
        at,
        id: eventId('Bounced', id, address),
        decision: 'Bounce',
        state: 'Bounced',
        reason: 'Expired',
        reply: '550 5.4.7 expired',
        attempt: 2,
      },
    ],
    [
      'without a connector',
      { connectors: { inbound: null, outbound: null }, considered: [] },
      null,
      0,
      {
        kind: 'Decided',
        id: eventId('Decided', id, address, position),
        decision: 'Deliver',
        state: 'Pending',
        inboundConnector: undefined,
        outboundConnector: undefined,
      },
    ],
  ]
  for (const [name, facts, decidedBy, attempts, columns] of rows)
    test(name, () => {
      const event = decisionEvent(mail, { address, attempts }, { ...decision, ...facts }, decidedBy, job)
      const expected = Object.entries({ ...decided, ...columns }).filter(([, value]) => value !== undefined)
      assertEvent(event, Object.fromEntries(expected))
    })

  test('about mail of the organisation has the recipient as the other side', () => {
    const event = decisionEvent(
      { ...mail, direction: 'Originating' },
      recipient({ address }),
      decision,
      null,
      job,
    )
    assert.equal(event.partner, 'northwind.example')
  })
})

describe('the event of an attempt', () => {
  const context = {
    connector: 'id-northwind',
    connectorsVersion: 7,
    mode: 'Enforce',
    route: '192.0.2.7:25 mx.northwind.example:2525',
    clientCertificateSecret: 'ours',
  } as const
  const common = {
    ...ofRecipient,
    at: new Date(receivedAt.getTime() + 1000).toISOString(),
    partner: 'northwind.example',
    outboundConnector: 'id-northwind',
    connectorsVersion: 7,
    mode: 'Enforce',
    route: '192.0.2.7:25 mx.northwind.example:2525',
    clientCertificateSecret: 'ours',
    attempt: 2,
    host: 'mx.northwind.example',
    requiredLevel: 'Opportunistic',
    policySource: 'Opportunistic',
    durationMs: 1000,
  }
  const tls = {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: 'X25519MLKEM768',
    verified: false,
    notVerified: 'Not required',
    fingerprint256: 'cd'.repeat(32),
    revocation: { status: 'Unknown', detail: 'no answer' },
    certificate: {
      names: ['mx.northwind.example', '*.northwind.example'],
      issuer: 'CN=CA',
      verdict: 'trusted',
    },
  } as const
  const key = [id, address, 2] as const
  const rows: [name: string, fields: Parameters<typeof attempt>[0], columns: object][] = [
    [
      'that delivered',
      { outcome: 'Delivered', reply: { code: 250, enhanced: '2.0.0', text: 'Ok' } },
      { kind: 'Delivered', id: eventId('Delivered', ...key), state: 'Delivered', reply: '250 2.0.0 Ok' },
    ],
    [
      'that failed temporarily',
      {},
      {
        kind: 'Attempted',
        id: eventId('Attempted', ...key),
        decision: 'TemporaryFailure',
        state: 'Pending',
        reply: '451 4.3.0 Try again later',
      },
    ],
    [
      'whose TLS did not meet the requirement',
      {
        outcome: 'TlsNotMet',
        policy: 'DomainValidation',
        policySource: 'Connector',
        tlsResult: 'certificate-host-mismatch',
        tls: { ...tls, certificate: { ...tls.certificate, names: [...tls.certificate.names] } },
      },
      {
        kind: 'Attempted',
        id: eventId('Attempted', ...key),
        decision: 'TlsNotMet',
        state: 'Pending',
        reason: 'certificate-host-mismatch',
        tlsResult: 'certificate-host-mismatch',
        requiredLevel: 'DomainValidation',
        policySource: 'Connector',
        reply: '451 4.3.0 Try again later',
        tlsVersion: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        group: 'X25519MLKEM768',
        verified: false,
        notVerifiedBecause: 'Not required',
        serverCertificateSha256: 'cd'.repeat(32),
        serverCertificateNames: 'mx.northwind.example *.northwind.example',
        serverCertificateIssuer: 'CN=CA',
        serverCertificateVerdict: 'trusted',
        revocation: 'Unknown',
      },
    ],
    [
      'to the second of several hosts, with the version, the trust anchors and the names that matter',
      {
        outcome: 'Delivered',
        policy: 'CertificateValidation',
        policySource: 'Connector',
        requiredTlsVersion: 'TLSv1.3',
        tlsRequiredNo: true,
        nextHops: 3,
        tlsResult: 'success',
        tls: {
          ...tls,
          group: null,
          notVerified: null,
          verified: true,
          certificate: {
            names: [],
            commonName: 'mx',
            issuer: 'CN=CA',
            verdict: 'trusted',
            trustAnchors: 'AbC',
          },
        },
      },
      {
        kind: 'Delivered',
        id: eventId('Delivered', ...key),
        state: 'Delivered',
        requiredLevel: 'CertificateValidation',
        policySource: 'Connector',
        requiredTlsVersion: 'TLSv1.3',
        tlsRequiredNo: true,
        nextHops: 3,
        reply: '451 4.3.0 Try again later',
        tlsVersion: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        verified: true,
        serverCertificateSha256: 'cd'.repeat(32),
        serverCertificateNames: '',
        serverCertificateIssuer: 'CN=CA',
        serverCertificateVerdict: 'trusted',
        serverCertificateCommonName: 'mx',
        trustAnchors: 'AbC',
        revocation: 'Unknown',
      },
    ],
  ]
  for (const [name, fields, columns] of rows)
    test(name, () => {
      const [event, ...more] = attemptEvents(mail, address, attempt({ number: 2, ...fields }), context)
      assertEvent(event, { ...common, ...columns })
      assert.deepEqual(more, [])
    })

  test('has the level and the policies of the connector where another level was enforced', () => {
    const rows: [Parameters<typeof attempt>[0], Partial<AttemptContext>, object][] = [
      [{ policy: 'EncryptionOnly', policySource: 'Connector' }, { level: 'EncryptionOnly' }, {}],
      [{}, { level: 'Opportunistic' }, {}],
      [{}, {}, {}],
      [{}, { level: 'DomainValidation' }, { connectorLevel: 'DomainValidation' }],
      [
        { policy: 'Dane', policySource: 'Connector' },
        { level: 'Opportunistic', smtpDaneMode: 'Mandatory', mtaStsMode: 'None' },
        { connectorLevel: 'Opportunistic', smtpDaneMode: 'Mandatory', mtaStsMode: 'None' },
      ],
    ]
    for (const [fields, level, expected] of rows) {
      const [event] = attemptEvents(mail, address, attempt(fields), { ...context, ...level })
      const { connectorLevel, smtpDaneMode, mtaStsMode } = event ?? {}
      const columns = { connectorLevel, smtpDaneMode, mtaStsMode }
      assert.deepEqual(JSON.parse(JSON.stringify(columns)), expected)
    }
  })

  test('comes after an event for each worker that began it and wrote no result', () => {
    const events = attemptEvents(mail, address, attempt({ number: 2, lost: 2 }), context)
    assert.deepEqual(
      events.map(({ id, kind, decision }) => [id, kind, decision]),
      [
        [eventId('Attempted', ...key, 'lost', 1), 'Attempted', 'Unknown'],
        [eventId('Attempted', ...key, 'lost', 2), 'Attempted', 'Unknown'],
        [eventId('Attempted', ...key), 'Attempted', 'TemporaryFailure'],
      ],
    )
    for (const event of events) assert.doesNotThrow(() => MailEvent.parse(event))
  })

  test('is built without what an earlier release does not report', () => {
    const [event] = attemptEvents(mail, address, attempt(), undefined)
    assert.deepEqual([event?.outboundConnector, event?.mode], [undefined, undefined])
  })
})

test('a Notified event has the kind of the DSN, and the reply that it reports', () => {
  const reply = { code: 550, enhanced: '5.1.1', text: 'No such user' }
  assertEvent(notifiedEvent(mail, 'failed', at, { recipient: { address }, reply }), {
    ...ofRecipient,
    id: eventId('Notified', id, address, 'failed'),
    kind: 'Notified',
    at,
    partner: 'elsewhere.example',
    reason: 'failed',
    reply: '550 5.1.1 No such user',
  })
})

describe('a CertificateSeen event', () => {
  const connector = { id: 'id-northwind' }
  const certificate = {
    fingerprint256: 'cd'.repeat(32),
    subject: 'CN=mx',
    subjectAltNames: ['mx.northwind.example', 'mx2.northwind.example'],
    issuer: 'CN=CA',
  }
  test('of a next hop', () =>
    assertEvent(
      certificateSeenEvent({
        endpoint: {
          kind: 'PartnerServer',
          connector,
          domain: 'northwind.example',
          host: 'mx.northwind.example',
        },
        certificate,
        at: receivedAt,
      }),
      {
        id: eventId(
          'CertificateSeen',
          'PartnerServer',
          'id-northwind',
          'mx.northwind.example',
          'cd'.repeat(32),
        ),
        kind: 'CertificateSeen',
        at,
        host: 'mx.northwind.example',
        partner: 'northwind.example',
        outboundConnector: 'id-northwind',
        serverCertificateSha256: 'cd'.repeat(32),
        serverCertificateNames: 'mx.northwind.example mx2.northwind.example',
        serverCertificateIssuer: 'CN=CA',
        softwareVersion,
      },
    ))

  test('of a client', () =>
    assertEvent(
      certificateSeenEvent({
        endpoint: { kind: 'PartnerClient', connector, domain: null, host: 'mail.contoso.example' },
        certificate,
        at: receivedAt,
      }),
      {
        id: eventId(
          'CertificateSeen',
          'PartnerClient',
          'id-northwind',
          'mail.contoso.example',
          'cd'.repeat(32),
        ),
        kind: 'CertificateSeen',
        at,
        host: 'mail.contoso.example',
        inboundConnector: 'id-northwind',
        clientCertificateSha256: 'cd'.repeat(32),
        clientCertificateNames: 'mx.northwind.example mx2.northwind.example',
        clientCertificateSubject: 'CN=mx',
        clientCertificateIssuer: 'CN=CA',
        softwareVersion,
      },
    ))
})
