import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failureId, policyId, sessionCountsOf } from '../../../shared/tls-reports/applied-policy.ts'
import {
  at,
  connector,
  noStartTls,
  type SessionInput,
  session,
  stsPolicy,
  wrongName,
} from '../../support/tls-sessions.ts'

const tlsa = { usage: 3, selector: 1, matchingType: 1, data: 'ab'.repeat(32) }
const dane = (records = [tlsa]) =>
  ({
    dane: { kind: 'Records', baseDomain: 'mx.partner.example', names: ['mx.partner.example'], records },
  }) as const
const unfetchable = {
  kind: 'None',
  fault: { result: 'sts-policy-fetch-error', detail: 'mta-sts.partner.example answered 404' },
} as const
const reportOnly = connector({ mode: 'ReportOnly' })

const optional = { level: 'Opportunistic', tlsDomain: null } as const
const mandatoryDane = {
  hop: { authentic: true },
  connector: connector({ ...optional, smtpDaneMode: 'Mandatory' }),
} as const
const mandatoryMtaSts = connector({ ...optional, mtaStsMode: 'Mandatory' })

/** The counts as texts `type domain: result`. */
const cases: [string, SessionInput, string[]][] = [
  ['TLS without a policy', {}, ['no-policy-found partner.example: success']],
  [
    'no TLS without a policy',
    { tls: noStartTls },
    ['no-policy-found partner.example: starttls-not-supported'],
  ],
  [
    'a handshake that failed, without a policy',
    { tls: { kind: 'HandshakeFailed', cause: 'ECONNRESET' } },
    ['no-policy-found partner.example: validation-failure'],
  ],
  ['MTA-STS enforced and met', { mtaSts: stsPolicy('enforce') }, ['sts partner.example: success']],
  [
    'MTA-STS enforced and not met',
    { mtaSts: stsPolicy('enforce'), tls: wrongName },
    ['sts partner.example: certificate-host-mismatch'],
  ],
  [
    'a host that the MTA-STS policy does not list',
    { mtaSts: stsPolicy('enforce', ['other.example']) },
    ['sts partner.example: validation-failure'],
  ],
  [
    'MTA-STS of mode testing without TLS',
    { mtaSts: stsPolicy('testing'), tls: noStartTls },
    ['sts partner.example: starttls-not-supported'],
  ],
  [
    'MTA-STS of mode none and a certificate for another name',
    { mtaSts: stsPolicy('none'), tls: wrongName },
    ['no-policy-found partner.example: success'],
  ],
  [
    'MTA-STS that cannot be fetched',
    { mtaSts: unfetchable },
    ['no-policy-found partner.example: success', 'sts partner.example: sts-policy-fetch-error'],
  ],
  ['an unknown MTA-STS state, because the table cannot be read,', { mtaSts: { kind: 'Unknown' } }, []],
  [
    'MTA-STS enforced and met, of which the renewal fails,',
    { mtaSts: { ...stsPolicy('enforce'), fault: unfetchable.fault } },
    ['sts partner.example: success', 'sts partner.example: sts-policy-fetch-error'],
  ],
  ['DANE not met', { hop: dane() }, ['tlsa mx.partner.example: tlsa-invalid']],
  [
    "DANE of a CNAME's target, not met,",
    { hop: { dane: { ...dane().dane, baseDomain: 'mx.hub.example' } } },
    ['tlsa mx.hub.example: tlsa-invalid'],
  ],
  [
    'DANE not met beside MTA-STS enforced',
    { hop: dane(), mtaSts: stsPolicy('enforce') },
    ['tlsa mx.partner.example: tlsa-invalid'],
  ],
  [
    'a host with only unusable TLSA records',
    { hop: dane([{ ...tlsa, usage: 1 }]) },
    ['tlsa mx.partner.example: success'],
  ],
  [
    'a host with only unusable TLSA records beside MTA-STS enforced and met',
    { hop: dane([{ ...tlsa, usage: 1 }]), mtaSts: stsPolicy('enforce') },
    ['sts partner.example: success'],
  ],
  [
    'bogus DNSSEC',
    {
      hop: {
        dane: { kind: 'Failed', bogus: true, reply: { code: 451, enhanced: '4.7.324', text: 'bogus' } },
      },
    },
    ['tlsa mx.partner.example: dnssec-invalid'],
  ],
  [
    "a certificate that only the connector's requirement does not accept",
    { connector: connector() },
    ['no-policy-found partner.example: success'],
  ],
  [
    'no TLS under an enforced connector',
    { connector: connector(), tls: noStartTls },
    ['no-policy-found partner.example: starttls-not-supported'],
  ],
  [
    'a report-only connector not met beside MTA-STS enforced and met',
    { connector: reportOnly, mtaSts: stsPolicy('enforce') },
    ['sts partner.example: success'],
  ],
  ['no session, because REQUIRETLS refuses an unproven host,', { senderRequest: { requireTls: true } }, []],
  [
    'MTA-STS enforced and not met, with TLS-Required: No,',
    { senderRequest: { tlsRequiredNo: true }, mtaSts: stsPolicy('enforce'), tls: wrongName },
    ['sts partner.example: certificate-host-mismatch'],
  ],
  ['no TLSA records under mandatory DANE', mandatoryDane, ['tlsa mx.partner.example: dane-required']],
  [
    'no TLSA records under mandatory DANE of a report-only connector',
    { ...mandatoryDane, connector: { ...mandatoryDane.connector, mode: 'ReportOnly' } },
    ['no-policy-found partner.example: success'],
  ],
  [
    'DANE not met under mandatory DANE',
    { ...mandatoryDane, hop: { ...mandatoryDane.hop, ...dane() } },
    ['tlsa mx.partner.example: tlsa-invalid'],
  ],
  [
    'DANE not met beside the certificate of a connector',
    {
      hop: { authentic: true, ...dane() },
      connector: connector({ smtpDaneMode: 'Mandatory', tlsDomain: 'mx.partner.example' }),
    },
    ['tlsa mx.partner.example: tlsa-invalid'],
  ],
  [
    'DANE not met beside mandatory MTA-STS that is met',
    { hop: dane(), connector: mandatoryMtaSts, mtaSts: stsPolicy('enforce') },
    ['sts partner.example: success', 'tlsa mx.partner.example: tlsa-invalid'],
  ],
  ['no MTA-STS policy under mandatory MTA-STS', { connector: mandatoryMtaSts }, []],
  [
    'MTA-STS that cannot be fetched, under mandatory MTA-STS',
    { connector: mandatoryMtaSts, mtaSts: unfetchable },
    ['sts partner.example: sts-policy-fetch-error'],
  ],
  [
    "a smart host, to which the domain's MTA-STS does not apply,",
    { hop: { foundBy: 'SmartHost', host: 'Relay.Hub.example.' }, mtaSts: unfetchable },
    ['no-policy-found relay.hub.example: success'],
  ],
  ['a smart host given as an address', { hop: { foundBy: 'SmartHost', host: '198.51.100.7' } }, []],
]

for (const [what, fields, expected] of cases)
  test(`${what} is counted as ${expected.map((count) => `"${count}"`).join(' and ') || 'nothing'}`, () => {
    const counts = sessionCountsOf(session(fields), at)
    assert.deepEqual(
      counts.map(({ policy, failure }) => `${policy.type} ${policy.domain}: ${failure?.result ?? 'success'}`),
      expected,
    )
  })

test("a session is counted for the recipients' domain, even if its policy is that of an MX host", () => {
  assert.deepEqual(
    sessionCountsOf(session({ hop: dane() }), at).map(({ domain }) => domain),
    ['partner.example'],
  )
})

test('the policy of a count has the format of RFC 8460 §4.5', () => {
  const [bySts] = sessionCountsOf(
    session({ mtaSts: stsPolicy('testing', ['mx.partner.example', '*.backup.example']) }),
    at,
  )
  assert.deepEqual(bySts?.policy, {
    type: 'sts',
    domain: 'partner.example',
    strings: [
      'version: STSv1',
      'mode: testing',
      'mx: mx.partner.example',
      'mx: *.backup.example',
      'max_age: 604800',
    ],
    mxHosts: ['mx.partner.example', '*.backup.example'],
  })
  const [byDane] = sessionCountsOf(session({ hop: dane() }), at)
  assert.deepEqual(byDane?.policy.strings, [`3 1 1 ${'ab'.repeat(32)}`])
})

test('long texts of a count from a domain or a server are cut, and control characters removed', () => {
  const many = Array.from({ length: 5000 }, (_, index) => `mx${index}.${'a'.repeat(60)}.example`)
  const [bySts] = sessionCountsOf(session({ mtaSts: stsPolicy('enforce', many) }), at)
  assert.ok(JSON.stringify(bySts?.policy).length < 20_000)
  const [byDane] = sessionCountsOf(
    session({ hop: dane([{ ...tlsa, matchingType: 0, data: 'ab'.repeat(9000) }]) }),
    at,
  )
  assert.ok(JSON.stringify(byDane?.policy).length < 1000)
  const [refused] = sessionCountsOf(
    session({ tls: { kind: 'NotOffered', serverReply: `454 ${'no '.repeat(500)}\r\nX: y\u202e` } }),
    at,
  )
  assert.ok((refused?.failure?.reason?.length ?? 0) <= 200)
  assert.doesNotMatch(refused?.failure?.reason ?? '', /[\r\n\u202e]/)
})

test('policyId and failureId are the same for equal policies and failures, and differ for different ones', () => {
  const [enforcedCount] = sessionCountsOf(session({ mtaSts: stsPolicy('enforce'), tls: wrongName }), at)
  const [same] = sessionCountsOf(session({ mtaSts: stsPolicy('enforce'), tls: wrongName }), at)
  const [otherCount] = sessionCountsOf(
    session({ mtaSts: stsPolicy('enforce', ['*.partner.example']), tls: noStartTls }),
    at,
  )
  assert.ok(enforcedCount?.failure && same?.failure && otherCount?.failure)
  assert.equal(policyId(enforcedCount.policy), policyId(same.policy))
  assert.equal(failureId(enforcedCount.failure), failureId(same.failure))
  assert.notEqual(policyId(enforcedCount.policy), policyId(otherCount.policy))
  assert.notEqual(failureId(enforcedCount.failure), failureId(otherCount.failure))
})
