/** Which certificates count, what becomes of mail when they expire, and of which somebody is to hear. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import { foresee, type InUse, type Known, usedAt } from '../../../shared/policy/foresight.ts'
import type { Observation, ObservedCertificate } from '../../../shared/tls/observed/observation.ts'
import { inbound, outbound } from '../../support/fixtures.ts'
import { daysAfter, observation } from '../../support/observed.ts'

const now = new Date('2026-01-15T06:00:00.000Z')
const day = (days: number): string => daysAfter(days, now).toISOString()

const expiring = (letter: string, days: number, fields: Partial<ObservedCertificate> = {}) => ({
  fingerprint256: letter.repeat(64),
  notAfter: day(days),
  firstSeen: day(-100),
  lastSeen: day(-1),
  ...fields,
})

const bank: Partial<OutboundConnector> = {
  id: 'c1',
  name: 'To the bank',
  recipientDomains: ['bank.example'],
  route: 'Mx',
  tlsSettings: 'CertificateValidation',
}
const fromBank: Partial<InboundConnector> = {
  id: 'c1',
  name: 'From the bank',
  restrictDomainsToCertificate: true,
  tlsSenderCertificateNames: ['mail.bank.example'],
}

const known = (
  observations: readonly Observation[],
  {
    out = [bank],
    into = [fromBank],
    served = [],
  }: {
    out?: readonly Partial<OutboundConnector>[]
    into?: readonly Partial<InboundConnector>[]
    served?: Known['served']
  } = {},
): InUse[] => {
  const connectors = { inbound: into.map(inbound), outbound: out.map(outbound) }
  return observations.flatMap((one) => usedAt(one, { connectors, served }, now))
}

describe('of a next hop', () => {
  const shown = (verifiedBy: ObservedCertificate['verifiedBy'] = null) =>
    observation([expiring('a', 10, { verifiedBy })])

  for (const [what, fields, verifiedBy, consequence, stopsMail] of [
    ['CertificateValidation', {}, 'Connector', 'MailWaits', true],
    [
      'DomainValidation',
      { tlsSettings: 'DomainValidation', tlsDomain: 'mx.bank.example' },
      'Connector',
      'MailWaits',
      true,
    ],
    ['validation that bounces at once', { onTlsFailure: 'Bounce' }, 'Connector', 'MailReturns', true],
    ['validation that only reports', { mode: 'ReportOnly' }, null, 'RecordedOnly', false],
    ['EncryptionOnly', { tlsSettings: 'EncryptionOnly' }, null, 'Nothing', false],
    ['nothing', { tlsSettings: null }, null, 'Nothing', false],
    ['nothing, but its domain MTA-STS', { tlsSettings: null }, 'MtaSts', 'MailWaits', true],
    ['nothing, but its host DANE', { tlsSettings: null }, 'Dane', 'AsTlsaSays', false],
  ] as const)
    test(`whose connector demands ${what}: ${consequence}`, () => {
      const { gauges, notices } = foresee(known([shown(verifiedBy)], { out: [{ ...bank, ...fields }] }), now)
      assert.deepEqual(gauges, [
        { observedAs: 'PartnerServer', connector: 'To the bank', daysLeft: 10, stopsMail },
      ])
      assert.deepEqual(
        notices.map(({ connector, days, daysLeft, consequence: fate }) => [connector, days, daysLeft, fate]),
        [[{ id: 'c1', name: 'To the bank', connectorType: 'Partner' }, 14, 10, consequence]],
      )
    })

  for (const [what, fields] of [
    ['whose connector is gone', { id: 'c9' }],
    ['whose connector is off', { enabled: false }],
    ["that is a stranger's, whom a connector for everybody led to", { recipientDomains: ['*'] }],
    ['of another domain than is named beside everybody', { recipientDomains: ['clinic.example', '*'] }],
  ] as [string, Partial<OutboundConnector>][])
    test(`${what}: concerns nobody`, () => {
      const seen = known([shown()], { out: [{ ...bank, ...fields }] })
      assert.deepEqual(foresee(seen, now), { gauges: [], notices: [] })
    })

  for (const [what, fields] of [
    ['a domain below', { recipientDomains: ['*.bank.example', '*'] }],
    [
      "everybody's mail by smart hosts",
      { recipientDomains: ['*'], route: 'SmartHosts', smartHosts: [{ host: 'relay.example', port: 25 }] },
    ],
    ['all accepted domains', { connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true }],
  ] as [string, Partial<OutboundConnector>][])
    test(`whose connector is for ${what}: counts`, () => {
      const seen = known([shown()], { out: [{ ...bank, ...fields }] })
      assert.equal(foresee(seen, now).notices.length, 1)
    })

  test("that is a stranger's by what it publishes: concerns nobody", () => {
    const stranger = observation([expiring('a', 3)], { connector: null })
    assert.deepEqual(foresee(known([stranger]), now), { gauges: [], notices: [] })
  })

  test('that is shown no more concerns nobody', () => {
    const seen = observation([
      expiring('b', 90, { firstSeen: day(-2) }),
      expiring('a', 3, { lastSeen: day(-3) }),
    ])
    const gone = observation([expiring('c', 3, { lastSeen: day(-31) })], { host: 'gone.bank.example' })
    const { gauges, notices } = foresee(known([seen, gone]), now)
    assert.deepEqual(
      gauges.map(({ daysLeft }) => daysLeft),
      [90],
    )
    assert.deepEqual(notices, [])
  })

  test('on several hosts is one notice, and names them', () => {
    const seen = ['mx2', 'mx1'].map((host) =>
      observation([expiring('a', 3)], { host: `${host}.bank.example` }),
    )
    const { notices } = foresee(known(seen), now)
    assert.deepEqual(
      notices.map(({ hosts }) => hosts),
      [['mx1.bank.example', 'mx2.bank.example']],
    )
  })

  test('that another server of its name has renewed says where the newer one is', () => {
    const seen = [
      observation([expiring('a', 3)], { host: 'mx1.bank.example' }),
      observation([expiring('b', 90)], { host: 'mx2.bank.example' }),
      observation([expiring('c', 200, { subjectAltNames: ['other.example'] })], { host: 'mx3.bank.example' }),
    ]
    const { notices } = foresee(known(seen), now)
    assert.deepEqual(
      notices.map(({ newer }) => newer),
      [{ fingerprint256: 'b'.repeat(64), notAfter: day(90), firstSeen: day(-100), host: 'mx2.bank.example' }],
    )
  })

  test('what expires first comes first', () => {
    const seen = [29, 2, 10].map((days, index) =>
      observation([expiring('abc'.charAt(index), days)], { host: `mx${index}.bank.example` }),
    )
    assert.deepEqual(
      foresee(known(seen), now).notices.map(({ daysLeft, days }) => [daysLeft, days]),
      [
        [2, 3],
        [10, 14],
        [29, 30],
      ],
    )
  })
})

describe('of a sender', () => {
  for (const [what, fields, consequence] of [
    ['that is refused', {}, 'MailRefused'],
    ['that is held', { onViolation: 'Defer' }, 'MailHeld'],
    ['that is only reported', { mode: 'ReportOnly' }, 'RecordedOnly'],
    ['that needs none', { restrictDomainsToCertificate: false }, 'Nothing'],
    ['of our own', { connectorType: 'OnPremises', restrictDomainsToCertificate: false }, 'RelayDenied'],
  ] as [string, Partial<InboundConnector>, string][])
    test(`${what}: ${consequence}`, () => {
      const seen = observation([expiring('a', 10)], { kind: 'PartnerClient', domain: null })
      const { notices } = foresee(known([seen], { into: [{ ...fromBank, ...fields }] }), now)
      assert.deepEqual(
        notices.map((one) => [one.observedAs, one.consequence]),
        [['PartnerClient', consequence]],
      )
    })
})

describe('of ours', () => {
  const ingress = observation([expiring('a', 10), expiring('b', 5), expiring('c', 2)], {
    kind: 'Own',
    connector: null,
    domain: null,
    host: 'mx.ours.example',
  })
  const served = (letter: string, servedFrom?: string): Known['served'][number] => ({
    fingerprint256: letter.repeat(64),
    successor:
      servedFrom === undefined ? null : { fingerprint256: 'd'.repeat(64), servedFrom, notAfter: day(400) },
  })

  test('what the ingress serves counts, unless its successor is served in time', () => {
    const seen = known([ingress], { served: [served('a'), served('b', day(4)), served('c', day(3))] })
    const { gauges, notices } = foresee(seen, now)
    assert.deepEqual(
      notices.map((one) => [one.certificate.fingerprint256[0], one.connector, one.consequence]),
      [
        ['c', null, 'SendersDistrust'],
        ['a', null, 'SendersDistrust'],
      ],
    )
    assert.deepEqual(
      gauges.map(({ daysLeft }) => daysLeft),
      [10, 2],
    )
  })

  test('what it serves no more concerns nobody', () => {
    assert.deepEqual(foresee(known([ingress]), now), { gauges: [], notices: [] })
  })

  const shown = observation([expiring('a', 10)], {
    kind: 'Own',
    domain: null,
    host: 'mailflow/client-certificates/ours',
  })

  test('what a connector shows counts', () => {
    const { notices } = foresee(known([shown], { out: [{ ...bank, clientCertificate: 'ours' }] }), now)
    assert.deepEqual(
      notices.map(({ hosts, consequence }) => [hosts, consequence]),
      [[['mailflow/client-certificates/ours'], 'MailWaits']],
    )
  })

  test('what a connector names no more concerns nobody', () => {
    for (const clientCertificate of [null, 'other'])
      assert.deepEqual(foresee(known([shown], { out: [{ ...bank, clientCertificate }] }), now).notices, [])
  })
})
