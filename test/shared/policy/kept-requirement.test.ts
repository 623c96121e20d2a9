import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OutboundConnector } from '../../../shared/connectors/schema.ts'
import {
  type KeptRequirement,
  keptRequirementOf,
  type LoweredField,
  loweredBy,
  loweredByChange,
} from '../../../shared/policy/kept-requirement.ts'
import { outbound } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'

type Fields = Partial<OutboundConnector>

const [first, second] = [(await createPki()).ca, (await createPki()).ca]
const withCarriageReturns = first.replaceAll('\n', '\r\n')

const encryption: Fields = { tlsSettings: 'EncryptionOnly' }
const certificate: Fields = { tlsSettings: 'CertificateValidation' }
const domain: Fields = { tlsSettings: 'DomainValidation', tlsDomain: 'mx.northwind.example' }
const mandatoryDane: Fields = { smtpDaneMode: 'Mandatory' }
const host = (name: string, port = 25) => ({ host: name, port })
const via = (...smartHosts: { host: string; port: number }[]): Fields => ({
  ...encryption,
  route: 'SmartHosts',
  smartHosts,
})
const trusting = (...certificateAuthorities: string[]): Fields => ({ ...certificate, certificateAuthorities })

const rows: [title: string, before: Fields, after: Fields | null, lowered: LoweredField[]][] = [
  ['the same connector', domain, domain, []],
  ['no connector', encryption, null, ['connector']],
  ['a connector that only reports', encryption, { ...encryption, mode: 'ReportOnly' }, ['mode']],
  ['opportunistic TLS', encryption, {}, ['tlsSettings']],
  ['CertificateValidation → EncryptionOnly', certificate, encryption, ['tlsSettings']],
  ['DomainValidation → CertificateValidation', domain, certificate, ['tlsSettings']],
  ['EncryptionOnly → CertificateValidation', encryption, certificate, []],
  ['CertificateValidation → DomainValidation', certificate, domain, []],
  ['TLSv1.3 → TLSv1.2', { ...encryption, minimumTlsVersion: 'TLSv1.3' }, encryption, ['minimumTlsVersion']],
  ['TLSv1.2 → TLSv1.3', encryption, { ...encryption, minimumTlsVersion: 'TLSv1.3' }, []],
  [
    'TLSv1.3 → opportunistic TLS',
    { ...encryption, minimumTlsVersion: 'TLSv1.3' },
    {},
    ['tlsSettings', 'minimumTlsVersion'],
  ],
  ['Mandatory → Opportunistic DANE', mandatoryDane, {}, ['smtpDaneMode']],
  ['Mandatory → no DANE', mandatoryDane, { smtpDaneMode: 'None' }, ['smtpDaneMode']],
  ['Mandatory DANE → DomainValidation', mandatoryDane, domain, ['smtpDaneMode']],
  ['Mandatory DANE → also CertificateValidation', mandatoryDane, { ...certificate, ...mandatoryDane }, []],
  ['Mandatory → Opportunistic MTA-STS', { mtaStsMode: 'Mandatory' }, {}, ['mtaStsMode']],
  ['Mandatory MTA-STS → Mandatory DANE', { mtaStsMode: 'Mandatory' }, mandatoryDane, ['mtaStsMode']],
  ['EncryptionOnly → Mandatory DANE', encryption, mandatoryDane, ['tlsSettings']],
  ['another name', domain, { ...domain, tlsDomain: 'mx2.northwind.example' }, ['tlsDomain']],
  ['a wildcard for the name', domain, { ...domain, tlsDomain: '*.northwind.example' }, ['tlsDomain']],
  ['public roots instead of an authority', trusting(first), trusting(), ['certificateAuthorities']],
  ['an authority instead of public roots', trusting(), trusting(first), ['certificateAuthorities']],
  ['another authority', trusting(first), trusting(second), ['certificateAuthorities']],
  ['one more authority', trusting(first), trusting(first, second), ['certificateAuthorities']],
  ['fewer authorities', trusting(first, second), trusting(second), []],
  ['the same authority with other line ends', trusting(first), trusting(withCarriageReturns), []],
  [
    'another authority and DomainValidation',
    trusting(first),
    { ...domain, certificateAuthorities: [second] },
    ['certificateAuthorities'],
  ],
  [
    'another authority, which EncryptionOnly does not use',
    { ...encryption, certificateAuthorities: [first] },
    { ...encryption, certificateAuthorities: [second] },
    [],
  ],
  ['SoftFail → None', certificate, { ...certificate, revocationCheck: 'None' }, ['revocationCheck']],
  ['HardFail → SoftFail', { ...certificate, revocationCheck: 'HardFail' }, certificate, ['revocationCheck']],
  ['SoftFail → HardFail', certificate, { ...certificate, revocationCheck: 'HardFail' }, []],
  [
    'no revocation check, which EncryptionOnly does not use',
    encryption,
    { ...encryption, revocationCheck: 'None' },
    [],
  ],
  ['smart hosts instead of MX hosts', encryption, via(host('a.example')), ['route']],
  ['MX hosts instead of smart hosts', via(host('a.example')), encryption, ['route']],
  ['Amazon SES instead of MX hosts', encryption, { ...encryption, route: 'Ses' }, ['route']],
  ['another smart host', via(host('a.example')), via(host('b.example')), ['smartHosts']],
  ['another port', via(host('a.example')), via(host('a.example', 26)), ['smartHosts']],
  ['one more smart host', via(host('a.example')), via(host('a.example'), host('b.example')), ['smartHosts']],
  ['fewer smart hosts', via(host('a.example'), host('b.example')), via(host('b.example')), []],
  ['a comment', encryption, { ...encryption, comment: 'new' }, []],
  ['a bounce at a TLS failure', encryption, { ...encryption, onTlsFailure: 'Bounce' }, []],
]

describe('compared with a kept requirement', () => {
  for (const [title, before, after, expected] of rows)
    test(`${title}: ${expected.length === 0 ? 'nothing is lower' : expected.join(', ')}`, () => {
      const requirement = keptRequirementOf(outbound(before)) as KeptRequirement
      assert.deepEqual(loweredBy(after === null ? null : outbound(after), requirement), expected)
    })
})

describe('a requirement to keep', () => {
  for (const [title, fields] of [
    ['opportunistic TLS', {}],
    ['a connector that only reports', { ...domain, mode: 'ReportOnly' }],
  ] as const)
    test(`does not exist for ${title}`, () => assert.equal(keptRequirementOf(outbound(fields)), null))

  test('does not exist without a connector', () => assert.equal(keptRequirementOf(null), null))
})

describe('the change of a connector', () => {
  const both: Fields = { ...encryption, recipientDomains: ['northwind.example', '*.fabrikam.example'] }
  const changes: [title: string, before: Fields, after: Fields | null, lowered: LoweredField[]][] = [
    ['deletion', encryption, null, ['connector']],
    ['deletion of a disabled connector', { ...encryption, enabled: false }, null, []],
    ['deletion of a connector that forces no TLS', {}, null, []],
    ['disabling', encryption, { ...encryption, enabled: false }, ['connector']],
    ['a domain fewer', both, { ...both, recipientDomains: ['northwind.example'] }, ['connector']],
    ['a domain more', encryption, both, []],
    ['a lower level', domain, certificate, ['tlsSettings']],
    ['another name of the connector', encryption, { ...encryption, name: 'Other' }, []],
    [
      'no accepted domains',
      { ...encryption, connectorType: 'OnPremises', allAcceptedDomains: true },
      { ...encryption, connectorType: 'OnPremises' },
      ['connector'],
    ],
  ]
  for (const [title, before, after, expected] of changes)
    test(`${title}: ${expected.length === 0 ? 'nothing is lower' : expected.join(', ')}`, () =>
      assert.deepEqual(loweredByChange(outbound(before), after === null ? null : outbound(after)), expected))
})
