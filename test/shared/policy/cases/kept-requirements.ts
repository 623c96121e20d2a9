import { noEarlierFacts } from '../../../../shared/policy/evaluate.ts'
import { type KeptRequirement, keptRequirementOf } from '../../../../shared/policy/kept-requirement.ts'
import {
  afterSession,
  type Case,
  type Chapter,
  failedAttempt,
  noStartTls,
  organisationServer,
  outboundTo,
  temporaryFailure,
  tls13,
  viaSmartHosts,
} from './notation.ts'

const office = organisationServer({ name: 'Office', senderIpAddresses: ['192.0.2.1'] })
const forced = outboundTo('northwind.example', {
  name: 'Northwind',
  tlsSettings: 'DomainValidation',
  tlsDomain: 'mx.northwind.example',
})
const requirement = keptRequirementOf(forced) as KeptRequirement
const since = '2026-01-15T12:00:00.000Z'
const kept = { requirement, since }
const waiting = {
  from: 'ann@ours.example',
  tls: tls13,
  to: 'b@northwind.example',
  inbound: { Office: 'Grants' },
  lastAttempt: failedAttempt(0, 1, noStartTls),
  minutes: 1,
  earlier: { ...noEarlierFacts, kept },
} as const
const byRequirement =
  'Deliver RequirementKept by MX of northwind.example with DomainValidation of mx.northwind.example, attempt 2'
const sentence = `It keeps the requirement of connector "Northwind" from ${since}`

const proven = outboundTo('northwind.example', { name: 'Northwind', smtpDaneMode: 'Mandatory' })

const rows: Case[] = [
  {
    ...waiting,
    name: 'when DANE is no longer mandatory, the next attempt still requires it',
    earlier: {
      ...waiting.earlier,
      kept: { requirement: keptRequirementOf(proven) as KeptRequirement, since },
    },
    connectors: [office, { ...proven, smtpDaneMode: 'Opportunistic' }],
    outbound: { Northwind: 'Outranked' },
    outboundConnector: 'Northwind',
    expected: afterSession(
      'Deliver RequirementKept by MX of northwind.example with opportunistic TLS and DANE, attempt 2',
    ),
    why: `${sentence}, because the current connector lowers smtpDaneMode.`,
  },
  {
    ...waiting,
    name: 'when the connector is deleted, the next attempt has its requirement',
    connectors: [office],
    outboundConnector: 'an unknown connector',
    expected: afterSession(byRequirement),
    why: `${sentence}, because no connector applies to it now.`,
  },
  {
    ...waiting,
    name: 'when the connector is disabled, the next attempt has its requirement',
    connectors: [office, { ...forced, enabled: false }],
    outbound: { Northwind: 'Disabled' },
    outboundConnector: 'Northwind',
    expected: afterSession(byRequirement),
  },
  {
    ...waiting,
    name: 'when the connector is loosened, the next attempt has its earlier requirement',
    connectors: [office, { ...forced, tlsSettings: 'EncryptionOnly', tlsDomain: null }],
    outbound: { Northwind: 'Outranked' },
    outboundConnector: 'Northwind',
    expected: afterSession(byRequirement),
    why: `${sentence}, because the current connector lowers tlsSettings.`,
  },
  {
    ...waiting,
    name: 'when a connector for another pattern requires less, the next attempt has the earlier requirement',
    connectors: [office, outboundTo('*', { tlsSettings: 'EncryptionOnly' })],
    outbound: { 'To *': 'Outranked' },
    outboundConnector: 'an unknown connector',
    expected: afterSession(byRequirement),
    why: 'The message keeps the requirement of its first decision, which this connector lowers (tlsSettings).',
  },
  {
    ...waiting,
    name: 'when the connector requires more, the next attempt has the current requirement',
    connectors: [office, { ...forced, minimumTlsVersion: 'TLSv1.3' }],
    outbound: { Northwind: 'Decides' },
    expected: afterSession(
      'Deliver ConnectorMatched by MX of northwind.example with DomainValidation of mx.northwind.example over TLSv1.3, attempt 2',
    ),
  },
  {
    ...waiting,
    name: 'the requirement of smart hosts includes the hosts',
    connectors: [office],
    earlier: {
      ...waiting.earlier,
      kept: {
        since,
        requirement: {
          ...requirement,
          route: 'SmartHosts',
          smartHosts: [{ host: 'relay.example', port: 25 }],
        },
      },
    },
    outboundConnector: 'an unknown connector',
    expected: afterSession(
      'Deliver RequirementKept by relay.example:25 with DomainValidation of mx.northwind.example, attempt 2',
    ),
  },
  {
    ...waiting,
    name: 'mail for an accepted domain keeps the requirement and is not held for a missing route',
    connectors: [],
    mailboxes: false,
    to: 'b@ours.example',
    inbound: {},
    outboundConnector: 'an unknown connector',
    earlier: {
      ...waiting.earlier,
      kept: { since, requirement: { ...requirement, ...viaSmartHosts('mbx.ours.example') } },
    },
    expected: afterSession(
      'Deliver RequirementKept by mbx.ours.example:25 with DomainValidation of mx.northwind.example, attempt 2',
    ),
  },
  {
    ...waiting,
    name: 'a message waits for the next attempt as without a change',
    connectors: [office],
    minutes: 0.1,
    outboundConnector: 'an unknown connector',
    expected: afterSession('Defer OutboundTlsNotMet until +0:58: 451 4.7.321 STARTTLS not offered'),
  },
  {
    ...waiting,
    name: 'a message that keeps a requirement expires as any other',
    connectors: [office],
    lastAttempt: failedAttempt(24 * 60 - 1, 97, noStartTls),
    minutes: 24 * 60,
    outboundConnector: 'an unknown connector',
    expected: afterSession('Bounce OutboundTlsNotMet: 550 5.7.321 STARTTLS not offered'),
  },
  {
    ...waiting,
    name: 'returned mail bounces at the next decision',
    connectors: [office],
    lastAttempt: failedAttempt(0, 1, temporaryFailure),
    minutes: 0.1,
    retry: true,
    outboundConnector: 'an unknown connector',
    earlier: { ...waiting.earlier, isReturned: true },
    expected: afterSession(
      'Bounce ReturnedByAdministrator: 550 5.7.0 Returned by the administrator before delivery',
    ),
  },
]

export const keptRequirements: Chapter = { title: 'A requirement that waiting mail keeps', cases: rows }
