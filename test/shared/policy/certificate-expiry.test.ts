/** The certificates in use, the effect on mail when they expire, and the notices that are due. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import {
  type CertificateInUse,
  type ExpiryContext,
  findCertificatesInUse,
  findExpiringCertificates,
} from '../../../shared/policy/certificate-expiry.ts'
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

const findInUse = (
  observations: readonly Observation[],
  {
    outboundConnectors = [bank],
    inboundConnectors = [fromBank],
    served = [],
  }: {
    outboundConnectors?: readonly Partial<OutboundConnector>[]
    inboundConnectors?: readonly Partial<InboundConnector>[]
    served?: ExpiryContext['servedCertificates']
  } = {},
): CertificateInUse[] => {
  const connectors = { inbound: inboundConnectors.map(inbound), outbound: outboundConnectors.map(outbound) }
  return observations.flatMap((one) =>
    findCertificatesInUse(one, { connectors, servedCertificates: served }, now),
  )
}

describe("a next hop's certificate that expires soon", () => {
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
    ['validation with onTlsFailure Bounce', { onTlsFailure: 'Bounce' }, 'Connector', 'MailReturns', true],
    [
      'an MTA-STS policy with onTlsFailure Bounce',
      { tlsSettings: null, mtaStsMode: 'Mandatory', onTlsFailure: 'Bounce' },
      'MtaSts',
      'MailReturns',
      true,
    ],
    ['validation in ReportOnly mode', { mode: 'ReportOnly' }, null, 'RecordedOnly', false],
    ['EncryptionOnly', { tlsSettings: 'EncryptionOnly' }, null, 'Nothing', false],
    ['nothing', { tlsSettings: null }, null, 'Nothing', false],
    ['nothing and MTA-STS verified it', { tlsSettings: null }, 'MtaSts', 'MailWaits', true],
    ['nothing and DANE verified it', { tlsSettings: null }, 'Dane', 'AsTlsaSays', false],
  ] as const)
    test(`has the consequence ${consequence} when its connector requires ${what}`, () => {
      const { gauges, notices } = findExpiringCertificates(
        findInUse([shown(verifiedBy)], { outboundConnectors: [{ ...bank, ...fields }] }),
        now,
      )
      assert.deepEqual(gauges, [
        { observedAs: 'PartnerServer', connector: 'To the bank', daysLeft: 10, stopsMail },
      ])
      assert.deepEqual(
        notices.map(({ connector, days, daysLeft, consequence: outcome }) => [
          connector,
          days,
          daysLeft,
          outcome,
        ]),
        [[{ id: 'c1', name: 'To the bank', connectorType: 'Partner' }, 14, 10, consequence]],
      )
    })

  for (const [what, fields] of [
    ['when its connector was deleted', { id: 'c9' }],
    ['when its connector is disabled', { enabled: false }],
    ['when its connector is only for `*`, by MX', { recipientDomains: ['*'] }],
    ['when its connector matches its domain only by `*`', { recipientDomains: ['clinic.example', '*'] }],
  ] as [string, Partial<OutboundConnector>][])
    test(`is ignored ${what}`, () => {
      const observed = findInUse([shown()], { outboundConnectors: [{ ...bank, ...fields }] })
      assert.deepEqual(findExpiringCertificates(observed, now), { gauges: [], notices: [] })
    })

  for (const [what, fields] of [
    ['a wildcard', { recipientDomains: ['*.bank.example', '*'] }],
    [
      '`*` with smart hosts',
      { recipientDomains: ['*'], route: 'SmartHosts', smartHosts: [{ host: 'relay.example', port: 25 }] },
    ],
    ['all accepted domains', { connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true }],
  ] as [string, Partial<OutboundConnector>][])
    test(`causes a notice with a connector for ${what}`, () => {
      const observed = findInUse([shown()], { outboundConnectors: [{ ...bank, ...fields }] })
      assert.equal(findExpiringCertificates(observed, now).notices.length, 1)
    })

  test('is ignored if it was observed without a connector', () => {
    const unrelatedServer = observation([expiring('a', 3)], { connector: null })
    assert.deepEqual(findExpiringCertificates(findInUse([unrelatedServer]), now), { gauges: [], notices: [] })
  })

  test('is ignored when its host presents another certificate, or has not been observed for 31 days', () => {
    const observed = observation([
      expiring('b', 90, { firstSeen: day(-2) }),
      expiring('a', 3, { lastSeen: day(-3) }),
    ])
    const gone = observation([expiring('c', 3, { lastSeen: day(-31) })], { host: 'gone.bank.example' })
    const { gauges, notices } = findExpiringCertificates(findInUse([observed, gone]), now)
    assert.deepEqual(
      gauges.map(({ daysLeft }) => daysLeft),
      [90],
    )
    assert.deepEqual(notices, [])
  })

  test('causes only one notice, with all its hosts, when several hosts present it', () => {
    const observed = ['mx2', 'mx1'].map((host) =>
      observation([expiring('a', 3)], { host: `${host}.bank.example` }),
    )
    const { notices } = findExpiringCertificates(findInUse(observed), now)
    assert.deepEqual(
      notices.map(({ hosts }) => hosts),
      [['mx1.bank.example', 'mx2.bank.example']],
    )
  })

  test('causes a notice that names the newer certificate of the same name on another host', () => {
    const observed = [
      observation([expiring('a', 3)], { host: 'mx1.bank.example' }),
      observation([expiring('b', 90)], { host: 'mx2.bank.example' }),
      observation([expiring('c', 200, { subjectAltNames: ['other.example'] })], { host: 'mx3.bank.example' }),
    ]
    const { notices } = findExpiringCertificates(findInUse(observed), now)
    assert.deepEqual(
      notices.map(({ newer }) => newer),
      [{ fingerprint256: 'b'.repeat(64), notAfter: day(90), firstSeen: day(-100), host: 'mx2.bank.example' }],
    )
  })

  test('causes the first of several notices if it expires first', () => {
    const observed = [29, 2, 10].map((days, index) =>
      observation([expiring('abc'.charAt(index), days)], { host: `mx${index}.bank.example` }),
    )
    assert.deepEqual(
      findExpiringCertificates(findInUse(observed), now).notices.map(({ daysLeft, days }) => [
        daysLeft,
        days,
      ]),
      [
        [2, 3],
        [10, 14],
        [29, 30],
      ],
    )
  })
})

describe("a sender's certificate that expires soon", () => {
  for (const [what, fields, consequence] of [
    ['by default', {}, 'MailRefused'],
    ['when its connector holds mail', { onViolation: 'Defer' }, 'MailHeld'],
    ['when its connector only reports', { mode: 'ReportOnly' }, 'RecordedOnly'],
    ['when its connector requires no certificate', { restrictDomainsToCertificate: false }, 'Nothing'],
    [
      "when it identifies the organisation's server",
      { connectorType: 'OnPremises', restrictDomainsToCertificate: false },
      'RelayDenied',
    ],
  ] as [string, Partial<InboundConnector>, string][])
    test(`has the consequence ${consequence} ${what}`, () => {
      const observed = observation([expiring('a', 10)], { kind: 'PartnerClient', domain: null })
      const { notices } = findExpiringCertificates(
        findInUse([observed], { inboundConnectors: [{ ...fromBank, ...fields }] }),
        now,
      )
      assert.deepEqual(
        notices.map((one) => [one.observedAs, one.consequence]),
        [['PartnerClient', consequence]],
      )
    })
})

describe("the organisation's certificate that expires soon", () => {
  const ingress = observation([expiring('a', 10), expiring('b', 5), expiring('c', 2)], {
    kind: 'Own',
    connector: null,
    domain: null,
    host: 'mx.ours.example',
  })
  const served = (letter: string, servedFrom?: string): ExpiryContext['servedCertificates'][number] => ({
    fingerprint256: letter.repeat(64),
    successor:
      servedFrom === undefined ? null : { fingerprint256: 'd'.repeat(64), servedFrom, notAfter: day(400) },
  })

  test('causes a notice while the ingress serves it, unless its successor is served before it expires', () => {
    const observed = findInUse([ingress], { served: [served('a'), served('b', day(4)), served('c', day(3))] })
    const { gauges, notices } = findExpiringCertificates(observed, now)
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

  test('is ignored when the ingress no longer serves it', () => {
    assert.deepEqual(findExpiringCertificates(findInUse([ingress]), now), { gauges: [], notices: [] })
  })

  const shown = observation([expiring('a', 10)], {
    kind: 'Own',
    domain: null,
    host: 'mailflow/client-certificates/ours',
  })

  test('causes a notice while an outbound connector names it as client certificate', () => {
    const { notices } = findExpiringCertificates(
      findInUse([shown], { outboundConnectors: [{ ...bank, clientCertificate: 'ours' }] }),
      now,
    )
    assert.deepEqual(
      notices.map(({ hosts, consequence }) => [hosts, consequence]),
      [[['mailflow/client-certificates/ours'], 'MailWaits']],
    )
  })

  test('is ignored when no outbound connector names it any more', () => {
    for (const clientCertificate of [null, 'other'])
      assert.deepEqual(
        findExpiringCertificates(
          findInUse([shown], { outboundConnectors: [{ ...bank, clientCertificate }] }),
          now,
        ).notices,
        [],
      )
  })
})
