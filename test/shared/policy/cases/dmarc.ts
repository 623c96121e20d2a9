import type { AuthenticationResult } from '../../../../shared/contract/authentication.ts'
import { authenticated } from '../../../support/fixtures.ts'
import {
  accepted,
  acceptedAndDelivered,
  acceptedAndReported,
  afterSession,
  type Case,
  type Chapter,
  defers,
  organisationServer,
  partner,
  tls13,
} from './notation.ts'

/** Results of a message with this domain in From:. */
const dmarc = (result: AuthenticationResult, fromDomain: string | null = 'contoso.example') => ({
  authentication: authenticated(result, fromDomain),
})

const contoso = partner('contoso.example', { requireDmarc: true })
const decides = { inbound: { 'From contoso.example': 'Decides' } } as const
const reports = { inbound: { 'From contoso.example': 'Reports' } } as const
/** The results are known only after the session. */
const bounces = {
  inSession: accepted,
  verdict: 'Bounce InboundDmarcRequired: 550 5.7.26 Message does not pass DMARC',
}
const base = { connectors: [contoso], from: 'a@contoso.example', tls: tls13, ...decides }
const undetermined = '451 4.7.26 Cannot determine now whether the message passes DMARC'
const byOwnServer = { senderIpAddresses: ['192.0.2.1'], senderDomains: ['*'] }

const failing: [result: AuthenticationResult, fromDomain: string | null, why: string][] = [
  ['fail', 'contoso.example', 'without a passing SPF or DKIM result for that domain'],
  ['none', 'contoso.example', 'publishes no DMARC record'],
  ['permerror', 'contoso.example', 'whose DMARC record is not usable'],
  ['none', null, 'has no single domain in From:'],
  ['fail', 'attacker.example', 'is from attacker.example'],
]

export const dmarcRequirement: Chapter = {
  title: 'requireDmarc: the sender in From: must be proven',
  cases: [
    {
      ...base,
      name: 'a message that passes is delivered',
      ...dmarc('pass'),
      expected: acceptedAndDelivered,
      why: 'The session meets the requirements: TLS (TLSv1.3), DMARC.',
    },
    {
      ...base,
      name: 'a message that passes for another domain in From: is delivered',
      ...dmarc('pass', 'list.example'),
      expected: acceptedAndDelivered,
    },
    ...failing.map(
      ([result, fromDomain, why]): Case => ({
        ...base,
        name: `the result ${result} for ${fromDomain ?? 'no domain'} bounces`,
        ...dmarc(result, fromDomain),
        expected: bounces,
        why,
      }),
    ),
    {
      ...base,
      name: 'a message that was not authenticated waits for no result here',
      expected: acceptedAndDelivered,
    },
    {
      ...base,
      name: 'a DNS failure defers, although onViolation is Bounce',
      ...dmarc('temperror'),
      expected: defers(`InboundDmarcRequired until +15:00: ${undetermined}`),
      why: 'DNS has no answer for contoso.example',
    },
    {
      ...base,
      name: 'a DNS failure bounces at expiry',
      ...dmarc('temperror'),
      minutes: 24 * 60,
      expected: afterSession(`Bounce InboundDmarcRequired: ${undetermined}`),
    },
    {
      ...base,
      name: 'onViolation Defer holds the message',
      connectors: [partner('contoso.example', { requireDmarc: true, onViolation: 'Defer' })],
      ...dmarc('fail'),
      expected: defers('InboundDmarcRequired until +15:00: 451 4.7.26 Message does not pass DMARC'),
    },
    {
      ...base,
      name: 'ReportOnly records the violation',
      connectors: [partner('contoso.example', { requireDmarc: true, mode: 'ReportOnly' })],
      ...dmarc('fail'),
      expected: acceptedAndReported('InboundDmarcRequired'),
      ...reports,
    },
    {
      ...base,
      name: "the partner's domain in From: under the MAIL FROM of a stranger bounces",
      from: 'x@attacker.example',
      ...dmarc('fail'),
      expected: bounces,
    },
    {
      ...base,
      name: 'a message with several domains in From: bounces, also from an unrelated sender',
      from: 'x@attacker.example',
      ...dmarc('permerror', null),
      expected: bounces,
    },
    {
      ...base,
      name: 'a message that could not be authenticated waits, also from an unrelated sender',
      from: 'x@attacker.example',
      ...dmarc('temperror', null),
      expected: defers(`InboundDmarcRequired until +15:00: ${undetermined}`),
      why: 'this message cannot be checked now.',
    },
    {
      ...base,
      name: 'a message with several domains in From: is only recorded if the connector is report-only',
      connectors: [partner('contoso.example', { requireDmarc: true, mode: 'ReportOnly' })],
      from: 'x@attacker.example',
      ...dmarc('permerror', null),
      expected: acceptedAndReported('InboundDmarcRequired'),
      ...reports,
    },
    {
      ...base,
      name: "the partner's domain in From: under the null reverse path bounces",
      from: '',
      ...dmarc('fail'),
      expected: bounces,
    },
    {
      ...base,
      name: "the partner's domain in From: under another MAIL FROM needs no TLS when it passes, as from a mailing list",
      from: 'x@list.example',
      tls: { ...tls13, negotiated: false, protocol: null },
      ...dmarc('pass'),
      expected: acceptedAndDelivered,
      inbound: {},
    },
    {
      ...base,
      name: 'a connector without requireDmarc does not apply to From:',
      connectors: [partner('contoso.example')],
      from: 'x@attacker.example',
      ...dmarc('fail'),
      expected: acceptedAndDelivered,
      inbound: {},
    },
    {
      ...base,
      name: 'the most specific connector for the domain in From: decides',
      connectors: [partner('*', { requireDmarc: true, requireTls: false }), partner('contoso.example')],
      from: 'x@attacker.example',
      ...dmarc('pass'),
      expected: acceptedAndDelivered,
      inbound: { 'From *': 'Decides' },
    },
    {
      ...base,
      name: "mail of the organisation's server is also checked",
      connectors: [contoso, organisationServer(byOwnServer)],
      ...dmarc('fail'),
      expected: bounces,
      inbound: { 'From contoso.example': 'Decides', 'Our server': 'Grants' },
    },
    {
      ...base,
      name: 'treatMessagesAsInternal leaves the check out',
      connectors: [contoso, organisationServer({ ...byOwnServer, treatMessagesAsInternal: true })],
      ...dmarc('fail'),
      expected: acceptedAndDelivered,
      inbound: { 'From contoso.example': 'Decides', 'Our server': 'Grants' },
    },
  ],
}
