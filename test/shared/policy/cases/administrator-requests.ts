/** Mail that an administrator released or dropped. What outbound connectors require still applies. */
import { noEarlierFacts } from '../../../../shared/policy/evaluate.ts'
import { type KeptRequirement, keptRequirementOf } from '../../../../shared/policy/kept-requirement.ts'
import { authenticated } from '../../../support/fixtures.ts'
import {
  afterSession,
  type Case,
  type Chapter,
  certificate,
  failedAttempt,
  mailboxes,
  noStartTls,
  organisationServer,
  outboundTo,
  partner,
  publicCa,
  requiringAddresses,
  requiringCertificate,
  temporaryFailure,
  tls12,
  tls13,
  tlsWithCertificate,
} from './notation.ts'

const waiver = {
  at: '2026-01-15T13:00:00.000Z',
  by: 'arn:aws:iam::123456789012:user/ann',
  reason: 'the bank called',
  connectors: [partner('contoso.example').id],
}
const released = { ...noEarlierFacts, waiver }
const dropped = { ...noEarlierFacts, isDropped: true }
const hold = { onViolation: 'Defer' } as const
const from = 'a@contoso.example'
const waived = { 'From contoso.example': 'Waived' } as const
const delivered = afterSession('Deliver ConnectorMatched by mbx.ours.example:25 with opportunistic TLS')
const sentence = `${waiver.by} released it at ${waiver.at} despite the violation: ${waiver.reason}`
const renamed = await certificate(publicCa, 'mx7.contoso.example')

/** A message that "From contoso.example" holds. */
const held = {
  connectors: [partner('contoso.example', hold)],
  from,
  minutes: 61,
  earlier: released,
  inbound: waived,
} as const

const forced = mailboxes({ tlsSettings: 'DomainValidation', tlsDomain: 'mbx.ours.example' })
const kept = { requirement: keptRequirementOf(forced) as KeptRequirement, since: '2026-01-15T12:00:00.000Z' }

const rows: Case[] = [
  { ...held, name: 'released mail in the clear is delivered', expected: delivered, why: sentence },
  {
    ...held,
    name: 'the considered connector of released mail has the violation and the release',
    expected: delivered,
    why: `Connector "From contoso.example" requires TLS, and this session has no TLS. ${sentence}`,
  },
  {
    ...held,
    name: 'released mail over an old TLS version is delivered',
    connectors: [partner('contoso.example', { ...hold, minimumTlsVersion: 'TLSv1.3' })],
    tls: tls12,
    expected: delivered,
  },
  {
    ...held,
    name: 'released mail with a wrong certificate is delivered',
    connectors: [partner('contoso.example', { ...hold, ...requiringCertificate('mail.contoso.example') })],
    tls: tlsWithCertificate(renamed),
    expected: delivered,
  },
  {
    ...held,
    name: 'released mail from a wrong address is delivered',
    connectors: [partner('contoso.example', { ...hold, ...requiringAddresses('198.51.100.0/24') })],
    tls: tls13,
    expected: delivered,
  },
  {
    ...held,
    name: 'released mail that fails DMARC is delivered',
    connectors: [partner('contoso.example', { ...hold, requireDmarc: true })],
    tls: tls13,
    authentication: authenticated('fail', 'contoso.example'),
    expected: delivered,
  },
  {
    ...held,
    name: 'released mail whose DMARC result is undetermined is delivered',
    connectors: [partner('contoso.example', { requireDmarc: true })],
    tls: tls13,
    authentication: authenticated('temperror', 'contoso.example'),
    expected: delivered,
  },
  {
    ...held,
    name: 'released mail is delivered also after the connector was changed to Bounce',
    connectors: [partner('contoso.example')],
    expected: delivered,
  },
  {
    ...held,
    name: 'a release does not waive the violation of another connector, which was not seen',
    connectors: [partner('contoso.example', hold), partner('fabrikam.example', { requireDmarc: true })],
    authentication: authenticated('fail', 'fabrikam.example'),
    inbound: { ...waived, 'From fabrikam.example': 'Decides' },
    decidedBy: 'From fabrikam.example',
    expected: afterSession('Bounce InboundDmarcRequired: 550 5.7.26 Message does not pass DMARC'),
  },
  {
    ...held,
    name: 'after a second release the violations of both connectors are waived',
    connectors: [
      partner('contoso.example', hold),
      partner('fabrikam.example', { ...hold, requireDmarc: true }),
    ],
    authentication: authenticated('fail', 'fabrikam.example'),
    earlier: {
      ...released,
      waiver: { ...waiver, connectors: [...waiver.connectors, partner('fabrikam.example').id] },
    },
    inbound: { ...waived, 'From fabrikam.example': 'Waived' },
    decidedBy: 'From contoso.example',
    expected: delivered,
  },
  {
    ...held,
    name: 'released mail is held by a connector that was created after the release',
    connectors: [partner('*.contoso.example', hold)],
    from: 'a@mail.contoso.example',
    inbound: { 'From *.contoso.example': 'Decides' },
    expected: afterSession('Defer InboundTlsRequired until +75:00: 451 4.7.10 Encryption needed'),
  },
  {
    ...held,
    name: 'a release has no effect on mail that violates nothing',
    tls: tls13,
    inbound: { 'From contoso.example': 'Decides' },
    expected: delivered,
    why: 'Outbound connector "Mailboxes" applies to ours.example.',
  },
  {
    ...held,
    name: 'released mail to another domain is still relay',
    to: 'b@northwind.example',
    expected: afterSession('Bounce RelayDenied: 550 5.7.64 Relay access denied'),
  },
  {
    ...held,
    name: 'released mail without a route still waits',
    mailboxes: false,
    expected: afterSession(
      'Defer NoRouteForAcceptedDomain until +75:00: 451 4.4.317 No outbound connector routes the accepted domain ours.example',
    ),
  },
  {
    ...held,
    name: 'a release does not let an unreadable sender pass',
    from: 'a@-.example',
    inbound: {},
    decidedBy: null,
    expected: afterSession('Bounce UnreadableSender: 553 5.1.7 Sender address has no valid domain'),
  },
  {
    ...held,
    name: 'released mail gets the TLS level of its outbound connector',
    mailboxes: false,
    connectors: [...held.connectors, forced],
    outbound: { Mailboxes: 'Decides' },
    expected: afterSession(
      'Deliver ConnectorMatched by mbx.ours.example:25 with DomainValidation of mbx.ours.example',
    ),
  },
  {
    ...held,
    name: 'released mail waits when the TLS of the next hop is not met',
    mailboxes: false,
    connectors: [...held.connectors, forced],
    outbound: { Mailboxes: 'Decides' },
    lastAttempt: failedAttempt(61, 1, noStartTls),
    expected: afterSession('Defer OutboundTlsNotMet until +61:58: 451 4.7.321 STARTTLS not offered'),
  },
  {
    ...held,
    name: 'released mail keeps the requirement of its first decision when the outbound connector is loosened',
    earlier: { ...released, kept },
    outbound: { Mailboxes: 'Outranked' },
    outboundConnector: 'Mailboxes',
    expected: afterSession(
      'Deliver RequirementKept by mbx.ours.example:25 with DomainValidation of mbx.ours.example',
    ),
    why: sentence,
  },
  {
    ...held,
    name: 'released mail that an administrator returns bounces',
    earlier: { ...released, isReturned: true },
    expected: afterSession(
      'Bounce ReturnedByAdministrator: 550 5.7.0 Returned by the administrator before delivery',
    ),
  },
  {
    ...held,
    name: 'dropped mail bounces, although a connector holds it',
    earlier: dropped,
    inbound: { 'From contoso.example': 'Decides' },
    expected: afterSession(
      'Bounce DroppedByAdministrator: 550 5.7.0 Dropped by the administrator before delivery',
    ),
  },
  {
    name: 'a drop takes precedence over a return, because it sends no DSN',
    connectors: [
      organisationServer({ senderIpAddresses: ['192.0.2.1'], requireTls: false }),
      outboundTo('*'),
    ],
    to: 'b@northwind.example',
    inbound: { 'Our server': 'Grants' },
    outbound: { 'To *': 'Decides' },
    lastAttempt: failedAttempt(0, 1, temporaryFailure),
    minutes: 1,
    earlier: { ...dropped, isReturned: true },
    expected: afterSession(
      'Bounce DroppedByAdministrator: 550 5.7.0 Dropped by the administrator before delivery',
    ),
  },
  {
    name: 'a drop takes precedence over the refusal by the next hop, because it sends no DSN',
    lastAttempt: failedAttempt(0, 1, {
      outcome: 'PermanentFailure',
      reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    }),
    minutes: 1,
    earlier: dropped,
    expected: afterSession(
      'Bounce DroppedByAdministrator: 550 5.7.0 Dropped by the administrator before delivery',
    ),
  },
]

export const administratorRequests: Chapter = {
  title: 'Mail that an administrator released or dropped',
  cases: rows,
}
