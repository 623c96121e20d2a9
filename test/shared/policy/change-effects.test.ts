/** The effect of changes on mail, in sentences. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  changeEffects,
  creationEffects,
  type Fields,
  removalEffects,
} from '../../../shared/policy/change-effects.ts'

const inbound: Fields = {
  connectorType: 'Partner',
  enabled: true,
  mode: 'Enforce',
  onViolation: 'Bounce',
  senderDomains: ['bank.example'],
  requireTls: true,
}
const outbound: Fields = {
  connectorType: 'Partner',
  enabled: true,
  mode: 'Enforce',
  onTlsFailure: 'Defer',
  recipientDomains: ['bank.example'],
  allAcceptedDomains: false,
  route: 'Mx',
  smartHosts: [],
  tlsSettings: 'EncryptionOnly',
  smtpDaneMode: 'Opportunistic',
  mtaStsMode: 'Opportunistic',
}
const isInbound = (fields: Fields) => 'senderDomains' in fields
const kindOf = (fields: Fields) => (isInbound(fields) ? 'inboundConnectors' : 'outboundConnectors')

const rows: { name: string; before: Fields; change: Fields; effects: string[] }[] = [
  {
    name: 'an outbound connector that becomes report only after it was disabled changes the route',
    before: { ...outbound, enabled: false },
    change: { enabled: true, mode: 'ReportOnly' },
    effects: [
      'Mail to bank.example is sent through this connector (Mx). What it requires (EncryptionOnly) is only recorded.',
    ],
  },
  {
    name: 'an outbound connector that is enabled and enforced',
    before: { ...outbound, enabled: false },
    change: { enabled: true, onTlsFailure: 'Bounce' },
    effects: [
      'Mail to bank.example is sent through this connector (Mx). Where a server does not meet EncryptionOnly, the mail is bounced.',
    ],
  },
  {
    name: 'an enforced outbound connector that becomes report only',
    before: outbound,
    change: { mode: 'ReportOnly' },
    effects: [
      'It no longer forces TLS (EncryptionOnly): what it requires is only recorded.',
      'Mail to bank.example may be sent in the clear.',
    ],
  },
  {
    name: 'another route',
    before: outbound,
    change: { route: 'SmartHosts', smartHosts: [{ host: 'relay.example', port: 25 }] },
    effects: ['Mail to bank.example is sent through its smart hosts (relay.example).'],
  },
  {
    name: 'another route of a connector that becomes report only',
    before: outbound,
    change: { mode: 'ReportOnly', route: 'Ses' },
    effects: [
      'It no longer forces TLS (EncryptionOnly): what it requires is only recorded.',
      'Mail to bank.example may be sent in the clear.',
      'Mail to bank.example is sent through this connector (Ses).',
    ],
  },
  {
    name: 'a stricter level',
    before: outbound,
    change: { tlsSettings: 'CertificateValidation' },
    effects: ['Where a server does not meet CertificateValidation, the mail is deferred.'],
  },
  {
    name: 'a stricter level of a report-only connector',
    before: { ...outbound, mode: 'ReportOnly' },
    change: { tlsSettings: 'CertificateValidation' },
    effects: [],
  },
  {
    name: 'a change of a disabled connector',
    before: { ...outbound, enabled: false },
    change: { tlsSettings: null },
    effects: ['It is disabled, so mail is not affected.', 'tlsSettings is weaker than before'],
  },
  {
    name: 'violations that are refused instead of held',
    before: { ...inbound, onViolation: 'Defer' },
    change: { onViolation: 'Bounce' },
    effects: ['Mail from bank.example without TLS is refused.'],
  },
  {
    name: 'one more domain, one fewer',
    before: inbound,
    change: { senderDomains: ['clinic.example'] },
    effects: [
      'Mail from clinic.example without TLS is refused.',
      'bank.example: no longer covered by this connector',
    ],
  },
  {
    name: 'an inbound connector that is disabled',
    before: inbound,
    change: { enabled: false },
    effects: [
      'It no longer requires TLS of mail from bank.example; another connector may.',
      'Unless another connector requires TLS, this mail is accepted in the clear.',
    ],
  },
  {
    name: 'own servers that are enabled as report only',
    before: { ...inbound, connectorType: 'OnPremises', enabled: false },
    change: { enabled: true, mode: 'ReportOnly' },
    effects: [
      'The servers that it identifies may relay mail from bank.example, also without TLS; violations are only recorded.',
    ],
  },
  {
    name: 'another name in the certificate',
    before: {
      ...inbound,
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mx.bank.example', 'mx2.bank.example'],
    },
    change: { tlsSenderCertificateNames: ['mx2.bank.example', 'mail.bank.example'] },
    effects: [
      'Mail from bank.example is refused if its server is identified only by mx.bank.example.',
      'Mail from bank.example meets restrictDomainsToCertificate if its server is identified by mail.bank.example.',
    ],
  },
  {
    name: 'a name in the certificate that the connector does not use',
    before: { ...inbound, restrictDomainsToCertificate: false, tlsSenderCertificateNames: ['a.example'] },
    change: { tlsSenderCertificateNames: ['b.example'] },
    effects: [],
  },
  {
    name: 'a fingerprint',
    before: { ...inbound, restrictDomainsToCertificate: true, certificateFingerprints: [] },
    change: { certificateFingerprints: ['5f86'] },
    effects: [
      'Mail from bank.example meets restrictDomainsToCertificate if its server is identified by 1 added fingerprint.',
    ],
  },
  {
    name: 'another address of own servers',
    before: { ...inbound, connectorType: 'OnPremises', senderIpAddresses: ['192.0.2.1'] },
    change: { senderIpAddresses: ['192.0.2.2'] },
    effects: [
      'Servers that are identified only by 192.0.2.1 may no longer relay.',
      'Servers that are identified by 192.0.2.2 may relay mail from bank.example.',
    ],
  },
  {
    name: 'a partner whose servers become own ones',
    before: inbound,
    change: { connectorType: 'OnPremises' },
    effects: [
      'It no longer requires TLS of mail from bank.example; another connector may.',
      'Unless another connector requires TLS, this mail is accepted in the clear.',
      'The servers that it identifies may relay mail from bank.example.',
      'OnPremises: it is for your own servers, whose mail to every domain is accepted',
    ],
  },
  {
    name: 'own servers that become those of a partner',
    before: { ...inbound, connectorType: 'OnPremises' },
    change: { connectorType: 'Partner' },
    effects: [
      'The servers that it identifies may no longer relay mail from bank.example.',
      'Mail from bank.example without TLS is refused.',
    ],
  },
  {
    name: 'a higher version of TLS',
    before: { ...inbound, minimumTlsVersion: 'TLSv1.2', restrictDomainsToCertificate: true },
    change: { minimumTlsVersion: 'TLSv1.3' },
    effects: ['Mail from bank.example without TLS 1.3 or without a listed certificate is refused.'],
  },
  {
    name: "another name in the servers' certificate",
    before: { ...outbound, tlsSettings: 'DomainValidation', tlsDomain: 'mx.bank.example' },
    change: { tlsDomain: 'mail.bank.example', minimumTlsVersion: 'TLSv1.3' },
    effects: [
      'Where a server does not meet DomainValidation for mail.bank.example and TLS 1.3, the mail is deferred.',
    ],
  },
  { name: 'a comment', before: inbound, change: { comment: 'agreed' }, effects: [] },
]

describe('a change of a connector', () => {
  for (const { name, before, change, effects } of rows)
    test(`has an effect on mail: ${name}`, () => {
      const changes = Object.entries(change)
        .filter(([field, to]) => before[field] !== to)
        .map(([field, to]) => ({ field, from: before[field], to }))
      assert.deepEqual(changeEffects(kindOf(before), before, { ...before, ...change }, changes), effects)
    })

  test('names the first of many domains', () => {
    const senderDomains = Array.from({ length: 500 }, (_, index) => `d${index}.example`)
    const [effect = ''] = removalEffects('inboundConnectors', { ...inbound, senderDomains })
    assert.match(effect, /d7\.example and 492 more; another connector may\.$/)
  })
})

test('a new connector has the effect of its stage', () => {
  assert.deepEqual(creationEffects('inboundConnectors', inbound), [
    'Mail from bank.example without TLS is refused.',
  ])
  assert.deepEqual(creationEffects('inboundConnectors', { ...inbound, mode: 'ReportOnly' }), [
    'It is report only, so mail is not affected.',
  ])
  assert.deepEqual(creationEffects('outboundConnectors', { ...outbound, enabled: false }), [
    'It is disabled, so mail is not affected.',
  ])
})
