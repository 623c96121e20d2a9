/** From what a person enters to what the API gets, in both directions. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  bodyOf,
  type Draft,
  draftOf,
  fieldsNotShown,
  firstStepWith,
  missingFaults,
  newDraft,
  shownFields,
  typedFaults,
  withDirection,
  withValues,
} from '../../../../../../functions/console/app/screens/wizard/draft.ts'
import { fieldsOf, type Values } from '../../../../../../functions/console/app/screens/wizard/fields.ts'
import { countOf, readField } from '../../../../../../functions/console/app/screens/wizard/read-field.ts'
import { InboundFields } from '../../../../../../shared/connectors/inbound-fields.ts'
import { OutboundFields } from '../../../../../../shared/connectors/outbound-fields.ts'
import { InboundConnectorInput, OutboundConnectorInput } from '../../../../../../shared/connectors/schema.ts'
import { inboundOf, outboundOf } from '../partners/connectors.ts'

const start = (direction: Draft['direction'], domains = ['bank.example']) =>
  newDraft({ direction, domains, defaultRoute: 'Mx' })
const change = (draft: Draft, values: Values): Draft => ({ ...draft, values: { ...draft.values, ...values } })

describe('the fields of the wizard', () => {
  test('are all fields of the API', () => {
    for (const [direction, { shape }] of [
      ['inbound', InboundFields],
      ['outbound', OutboundFields],
    ] as const)
      assert.deepEqual(
        fieldsOf(direction)
          .map(({ name }) => name)
          .sort(),
        Object.keys(shape).sort(),
      )
  })

  test('have the defaults of the API', () => {
    for (const [direction, { shape }] of [
      ['inbound', InboundFields],
      ['outbound', OutboundFields],
    ] as const)
      for (const { name, absent } of fieldsOf(direction)) {
        const parsed = shape[name as keyof typeof shape].safeParse(undefined)
        if (parsed.success) assert.deepEqual(absent, parsed.data, name)
      }
  })
})

describe('the first entry of a list', () => {
  const rows: [name: string, before: Values, changed: Values, restriction: object][] = [
    [
      'of names restricts by certificate',
      {},
      { tlsSenderCertificateNames: 'mx.b.example' },
      { certificate: true },
    ],
    ['of fingerprints too', {}, { certificateFingerprints: 'ab' }, { certificate: true }],
    ['of addresses restricts by address', {}, { senderIpAddresses: '192.0.2.1' }, { addresses: true }],
    [
      'keeps the restriction that was chosen',
      { restrictDomainsToIpAddresses: true },
      { tlsSenderCertificateNames: 'mx.b.example' },
      { addresses: true },
    ],
    [
      'is not a later one',
      { tlsSenderCertificateNames: 'a.example' },
      { tlsSenderCertificateNames: 'a.example b.example' },
      {},
    ],
    [
      'of own servers restricts nothing',
      { connectorType: 'OnPremises' },
      { senderIpAddresses: '192.0.2.1' },
      {},
    ],
  ]
  for (const [name, before, changed, restriction] of rows)
    test(name, () => {
      const { values } = withValues(change(start('inbound'), before), changed)
      const { certificate = false, addresses = false } = restriction as {
        certificate?: boolean
        addresses?: boolean
      }
      assert.deepEqual(
        [values.restrictDomainsToCertificate, values.restrictDomainsToIpAddresses],
        [certificate, addresses],
      )
    })
})

describe('a new connector', () => {
  test('is valid with a domain alone, and begins as ReportOnly', () => {
    const inbound = InboundConnectorInput.parse(bodyOf(start('inbound')))
    assert.equal(inbound.name, 'From bank.example')
    assert.equal(inbound.mode, 'ReportOnly')
    assert.equal(inbound.onViolation, 'Defer')
    assert.deepEqual(inbound.senderDomains, ['bank.example'])
    const outbound = OutboundConnectorInput.parse(bodyOf(start('outbound')))
    assert.equal(outbound.name, 'To bank.example')
    assert.equal(outbound.tlsSettings, 'EncryptionOnly')
    assert.equal(outbound.tlsDomain, null)
  })

  test('of a deployment that sends through Amazon SES is valid', () => {
    const draft = newDraft({ direction: 'outbound', domains: ['bank.example'], defaultRoute: 'Ses' })
    assert.equal(OutboundConnectorInput.parse(bodyOf(draft)).tlsSettings, 'EncryptionOnly')
  })

  test('without a domain lacks a name and a domain', () => {
    const draft = start('inbound', [])
    assert.deepEqual(Object.keys(missingFaults(draft)), ['senderDomains'])
    assert.deepEqual(Object.keys(typedFaults(draft)), ['name'])
    assert.equal(firstStepWith('inbound', { ...missingFaults(draft), ...typedFaults(draft) }), 'Name')
  })

  test('keeps kind, stage, comment and domains in the other direction', () => {
    const draft = change(start('inbound'), { comment: 'agreed', enabled: false, senderDomains: 'a.example' })
    const { values } = withDirection(draft, 'outbound', 'Mx')
    assert.equal(values.comment, 'agreed')
    assert.equal(values.enabled, false)
    assert.equal(values.recipientDomains, 'a.example')
    assert.equal(values.name, 'From bank.example')
    assert.equal(withDirection(start('inbound'), 'outbound', 'Mx').values.name, 'To bank.example')
  })
})

describe('a draft', () => {
  test('of each field of an inbound connector becomes its body', () => {
    const draft = change(start('inbound'), {
      name: ' From the bank ',
      senderDomains: 'Bank.Example, *.bank.example\nbücher.example',
      senderIpAddresses: '192.0.2.0/24;2001:db8::1',
      tlsSenderCertificateNames: 'MX.bank.example',
      certificateFingerprints: Array(32).fill('AB').join(':'),
      restrictDomainsToCertificate: true,
      messageRateLimit: '60',
      requireDmarc: true,
      associatedAcceptedDomains: 'ours.example',
      minimumTlsVersion: 'TLSv1.3',
    })
    const body = bodyOf(draft)
    assert.deepEqual(InboundConnectorInput.parse(body), {
      ...InboundConnectorInput.parse(bodyOf(start('inbound'))),
      name: 'From the bank',
      senderDomains: ['bank.example', '*.bank.example', 'xn--bcher-kva.example'],
      senderIpAddresses: ['192.0.2.0/24', '2001:db8::1'],
      tlsSenderCertificateNames: ['mx.bank.example'],
      certificateFingerprints: ['ab'.repeat(32)],
      restrictDomainsToCertificate: true,
      messageRateLimit: 60,
      requireDmarc: true,
      associatedAcceptedDomains: ['ours.example'],
      minimumTlsVersion: 'TLSv1.3',
    })
  })

  test('of own servers with a tenant of Exchange Online becomes its body', () => {
    const id = '72f988bf-86f1-41af-91ab-2d7cd011db47'
    const body = bodyOf(
      change(start('inbound'), {
        connectorType: 'OnPremises',
        tlsSenderCertificateNames: 'mail.protection.outlook.com',
        exchangeOnline: { tenantIds: id.toUpperCase(), originatorOrganizations: '' },
        requireDmarc: true,
      }),
    )
    const parsed = InboundConnectorInput.parse(body)
    assert.deepEqual(parsed.exchangeOnline, { tenantIds: [id], originatorOrganizations: [] })
    assert.equal(parsed.requireDmarc, false, 'not permitted, so not written')
  })

  test('of an outbound connector through smart hosts becomes its body', () => {
    const draft = change(start('outbound'), {
      route: 'SmartHosts',
      smartHosts: 'relay.example:2525 192.0.2.1',
      tlsSettings: 'CertificateValidation',
      expirationHours: '12',
      clientCertificate: 'bank',
    })
    const parsed = OutboundConnectorInput.parse(bodyOf(draft))
    assert.deepEqual(parsed.smartHosts, [
      { host: 'relay.example', port: 2525 },
      { host: '192.0.2.1', port: 25 },
    ])
    assert.equal(parsed.tlsDomain, null, 'not with this level')
    assert.equal(parsed.expirationHours, 12)
    assert.equal(parsed.clientCertificate, 'bank')
  })

  test('reads five hundred pasted names, each once', () => {
    const text = Array.from({ length: 500 }, (_, index) => `d${index}.example`).join('\r\n')
    const read = readField({ kind: 'Patterns' }, `${text}\nD0.example; no domain`)
    assert.equal((read.value as string[]).length, 502)
    assert.equal(read.repeated, 1)
    assert.deepEqual(read.faults, [])
    assert.equal(countOf(readField({ kind: 'Patterns' }, text), 'domain'), '500 domains')
    assert.equal(countOf(read, 'domain'), '502 domains; 1 repeated entry left out')
    assert.match(
      readField({ kind: 'Patterns' }, 'a b/c.example').faults.join(),
      /^"b\/c\.example" is not a dom/,
    )
  })

  test('reads certificates one below another', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
    const read = readField({ kind: 'Certificates' }, `${pem}\n\n${pem.replace('MIIB', 'MIIC')}\n${pem}`)
    assert.equal((read.value as string[]).length, 2)
    assert.equal(read.repeated, 1)
    assert.equal(readField({ kind: 'Certificates' }, 'a key').faults.length, 1)
  })

  test('says what is missing', () => {
    const rows: [Draft['direction'], Values, string][] = [
      ['inbound', { senderDomains: ' ' }, 'senderDomains'],
      ['inbound', { connectorType: 'OnPremises' }, 'senderIpAddresses'],
      ['inbound', { restrictDomainsToCertificate: true }, 'tlsSenderCertificateNames'],
      ['inbound', { restrictDomainsToIpAddresses: true }, 'senderIpAddresses'],
      ['outbound', { recipientDomains: '' }, 'recipientDomains'],
      ['outbound', { route: 'SmartHosts' }, 'smartHosts'],
      ['outbound', { tlsSettings: 'DomainValidation' }, 'tlsDomain'],
    ]
    for (const [direction, values, field] of rows)
      assert.deepEqual(Object.keys(missingFaults(change(start(direction), values))), [field], field)
    const accepted = { connectorType: 'OnPremises', allAcceptedDomains: true, recipientDomains: '' }
    assert.deepEqual(missingFaults(change(start('outbound'), accepted)), {})
  })
})

describe('an existing connector', () => {
  test('is the same after it was shown', () => {
    const inbound = inboundOf({
      senderDomains: ['a.example', '*.b.example'],
      messageRateLimit: 5,
      exchangeOnline: null,
      certificateFingerprints: ['ab'.repeat(32)],
    })
    const outbound = outboundOf({
      route: 'SmartHosts',
      smartHosts: [
        { host: '2001:db8::1', port: 26 },
        { host: 'a.example', port: 25 },
      ],
    })
    for (const [direction, connector] of [
      ['inbound', inbound],
      ['outbound', outbound],
    ] as const) {
      const body = bodyOf(draftOf(direction, { ...connector }))
      for (const [name, value] of Object.entries(body))
        assert.deepEqual(value, connector[name as keyof typeof connector], name)
      assert.deepEqual(typedFaults(draftOf(direction, { ...connector })), {})
    }
  })

  test('keeps fields of a newer API, which the wizard does not show', () => {
    const newer = { ...inboundOf(), greylisting: true }
    assert.deepEqual(fieldsNotShown('inbound', newer), [['greylisting', true]])
    assert.equal('greylisting' in shownFields('inbound', newer), false)
    assert.deepEqual(fieldsNotShown('outbound', { ...outboundOf() }), [])
  })
})
