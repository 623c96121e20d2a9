import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IpRanges } from '../../../shared/connectors/ip-ranges.ts'
import { openRelayFaults } from '../../../shared/connectors/open-relay.ts'
import { InboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { faultsOf } from '../../../shared/contract/schema-faults.ts'
import { createPki } from '../../support/pki.ts'

const { ca } = await createPki()
const [ipv4, ipv6] = [/wider than an IPv4 \/8,/, /wider than an IPv6 \/32,/]
const both = /wider than an IPv4 \/8 and an IPv6 \/32,/

const rows: { name: string; ranges: string[]; fault: RegExp | null }[] = [
  { name: 'no range', ranges: [], fault: null },
  { name: 'all of IPv4', ranges: ['0.0.0.0/0'], fault: ipv4 },
  { name: 'all of IPv6', ranges: ['::/0'], fault: ipv6 },
  { name: 'all of both', ranges: ['0.0.0.0/0', '::/0'], fault: both },
  { name: 'two halves of IPv4', ranges: ['0.0.0.0/1', '128.0.0.0/1'], fault: ipv4 },
  { name: 'a /8', ranges: ['10.0.0.0/8'], fault: null },
  { name: 'a /7', ranges: ['10.0.0.0/7'], fault: ipv4 },
  { name: 'a /8 and one more address', ranges: ['10.0.0.0/8', '192.0.2.1'], fault: ipv4 },
  { name: 'a /8 and an address in it', ranges: ['10.0.0.0/8', '10.2.0.1'], fault: null },
  { name: 'a /8 twice, in two notations', ranges: ['10.0.0.0/8', '10.9.9.9/8'], fault: null },
  { name: 'nested ranges', ranges: ['10.0.0.0/8', '10.0.0.0/9', '10.128.0.0/9'], fault: null },
  { name: 'many ranges that are one /8', ranges: slices(0, 256), fault: null },
  { name: 'many ranges that are more than a /8', ranges: slices(0, 257), fault: ipv4 },
  { name: 'an IPv6 /32', ranges: ['2001:db8::/32'], fault: null },
  { name: 'two IPv6 /32', ranges: ['2001:db8::/32', '2001:db9::/32'], fault: ipv6 },
  { name: 'a /8 and an IPv6 /32', ranges: ['10.0.0.0/8', '2001:db8::/32'], fault: null },
  { name: 'IPv4 mapped into IPv6', ranges: ['::ffff:0.0.0.0/96'], fault: ipv4 },
  { name: 'mapped and plain halves', ranges: ['::ffff:0.0.0.0/97', '128.0.0.0/1'], fault: ipv4 },
  { name: 'a /104 of mapped addresses', ranges: ['::ffff:10.0.0.0/104'], fault: null },
  { name: 'IPv6 around the mapped addresses', ranges: ['::ffff:0:0/95'], fault: null },
]

/** `/16` ranges from 10.0.0.0 on. */
function slices(first: number, end: number): string[] {
  return Array.from({ length: end - first }, (_, index) => {
    const slice = first + index
    return `${10 + (slice >> 8)}.${slice & 255}.0.0/16`
  })
}

describe('an OnPremises connector', () => {
  const onPremises = {
    name: 'Own servers',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    tlsSenderCertificateNames: ['mail.ours.example'],
  }
  for (const { name, ranges, fault } of rows)
    test(`with ${name} is ${fault ? '' : 'not '}an open relay`, () => {
      const body = { ...onPremises, senderIpAddresses: ranges }
      const { error, data } = InboundConnectorInput.safeParse(body)
      const faults = error ? faultsOf(error) : []
      assert.equal(faults.length, fault ? 1 : 0, JSON.stringify(faults))
      if (fault) {
        assert.equal(faults[0]?.path, 'senderIpAddresses')
        assert.match(faults[0]?.message ?? '', fault)
      } else assert.deepEqual(openRelayFaults(data as InboundConnectorInput), [])
    })

  const nameRows: { name: string; fields: object; fault: boolean }[] = [
    {
      name: 'a wildcard for a top-level domain',
      fields: { tlsSenderCertificateNames: ['*.com'] },
      fault: true,
    },
    {
      name: 'it as the second name',
      fields: { tlsSenderCertificateNames: ['mx.ours.example', '*.com'] },
      fault: true,
    },
    {
      name: 'a wildcard for a domain',
      fields: { tlsSenderCertificateNames: ['*.ours.example'] },
      fault: false,
    },
    {
      name: 'it under an authority of its own',
      fields: { tlsSenderCertificateNames: ['*.com'], certificateAuthorities: [ca] },
      fault: false,
    },
  ]
  for (const { name, fields, fault } of nameRows)
    test(`with ${name} is ${fault ? '' : 'not '}an open relay by certificate`, () => {
      const { error } = InboundConnectorInput.safeParse({ ...onPremises, ...fields })
      assert.deepEqual(
        error ? faultsOf(error).map(({ path }) => path) : [],
        fault ? ['tlsSenderCertificateNames'] : [],
      )
    })

  const tenant = { tenantIds: ['72f988bf-86f1-41af-91ab-2d7cd011db47'] }
  const [exchange, other] = [/set exchangeOnline/, /has to come from a server of your own/]
  const names = (...tlsSenderCertificateNames: string[]) => ({ tlsSenderCertificateNames })
  const addresses = (...senderIpAddresses: string[]) => ({ senderIpAddresses })
  const sharedRows: [name: string, fields: object, fault: RegExp | null][] = [
    ['the name of Exchange Online', names('mail.protection.outlook.com'), exchange],
    ['it as the second name', names('mx.ours.example', 'mail.protection.outlook.com'), exchange],
    ['a wildcard below it', names('*.mail.protection.outlook.com'), exchange],
    ['a wildcard above it', names('*.protection.outlook.com'), exchange],
    ['a wildcard for the whole domain', names('*.outlook.com'), exchange],
    ['another name in its certificate', names('mail.messaging.microsoft.com'), exchange],
    ['a wildcard for that name', names('*.messaging.microsoft.com'), exchange],
    ['the name of its cloud in China', names('mail.protection.partner.outlook.cn'), exchange],
    ['the name of its cloud for governments', names('mail.protection.office365.us'), exchange],
    ['the name of Google', names('*.google.com'), other],
    ['the name of Amazon SES', names('a8-29.smtp-out.amazonses.com'), other],
    ['the name of Proofpoint', names('mx0a-00069f02.pphosted.com'), other],
    ['a name that ends alike', names('mail.notoutlook.com'), null],
    ['a name that begins alike', names('mail.protection.outlook.com.ours.example'), null],
    [
      'the name of Exchange Online under a listed authority',
      { ...names('mail.protection.outlook.com'), certificateAuthorities: [ca] },
      exchange,
    ],
    [
      'the name of Exchange Online and a tenant',
      { ...names('mail.protection.outlook.com'), exchangeOnline: tenant },
      null,
    ],
    ['a network of Exchange Online', addresses('40.107.0.0/16'), exchange],
    ['an address in it', addresses('192.0.2.1', '40.107.22.85'), exchange],
    ['a range around it', addresses('40.0.0.0/8'), exchange],
    ['an IPv6 range in a network of Exchange Online', addresses('2a01:111:f403:c::/64'), exchange],
    ['a mapped address in a network of Google', addresses('::ffff:209.85.128.1'), other],
    ['an address of SendGrid', addresses('167.89.100.239'), other],
    ['the last address before a network of Exchange Online', addresses('40.106.255.255'), null],
    ['the first address after it', addresses('40.108.0.0'), null],
  ]
  for (const [name, fields, fault] of sharedRows)
    test(`with ${name} is ${fault ? '' : 'not '}refused as shared among customers`, () => {
      const { error } = InboundConnectorInput.safeParse({ ...onPremises, ...fields })
      const messages = error ? faultsOf(error).map(({ message }) => message) : []
      assert.equal(messages.length, fault ? 1 : 0, messages.join())
      if (fault) assert.match(messages[0] ?? '', fault)
    })

  test('that is disabled is not an open relay', () => {
    const body = { ...onPremises, senderIpAddresses: ['0.0.0.0/0'], enabled: false }
    assert.ok(InboundConnectorInput.safeParse(body).success)
  })

  test('with an invalid range gets one fault for it', () => {
    const body = { ...onPremises, senderIpAddresses: ['0.0.0.0/0', '10.0.0.0/33'] }
    const { error } = InboundConnectorInput.safeParse(body)
    assert.deepEqual(error && faultsOf(error).map(({ path }) => path), ['senderIpAddresses[1]'])
  })
})

test('a Partner connector, which only restricts, may have all addresses', () => {
  const partner = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
  assert.ok(InboundConnectorInput.safeParse({ ...partner, senderIpAddresses: ['0.0.0.0/0'] }).success)
})

test('addressCounts counts each address once', () => {
  const ranges = ['192.0.2.0/24', '192.0.2.7', '192.0.2.128/25', '::1', '2001:db8::/126', '::ffff:192.0.3.1']
  assert.deepEqual(new IpRanges(ranges.map((range) => [range, null])).addressCounts(), {
    ipv4: 257n,
    ipv6: 5n,
  })
})
