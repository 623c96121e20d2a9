/** Values are checked as they are typed with the verdicts of the API. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type * as z from 'zod'
import {
  type Checked,
  checkCertificateName,
  checkDomain,
  checkFingerprint,
  checkName,
  checkPattern,
  checkRange,
  checkTenant,
  parseHost,
} from '../../../../../../functions/console/app/screens/wizard/field-checks.ts'
import {
  CertificateName,
  DomainName,
  DomainPattern,
  Fingerprint,
  IpRange,
  name,
  SmartHostInput,
} from '../../../../../../shared/connectors/fields.ts'
import { InboundFields } from '../../../../../../shared/connectors/inbound-fields.ts'

const names = [
  'bank.example',
  'Bank.Example.',
  'bücher.example',
  'xn--bcher-kva.example',
  '*.bank.example',
  '*',
  '*.',
  'a.*.example',
  'bank..example',
  '-bank.example',
  'bank_1.example',
  'a/b.example',
  'user@bank.example',
  '192.0.2.1',
  '0x7f000001',
  `${'a'.repeat(64)}.example`,
  `${'a.'.repeat(126)}a`,
  `${'a.'.repeat(127)}a`,
  '日本.example',
  'bank。example',
]

const ranges = [
  '192.0.2.1',
  '192.0.2.0/24',
  '192.0.2.0/33',
  '10/8',
  '010.0.0.0/8',
  '256.0.0.1',
  '2001:db8::',
  '2001:DB8::/32',
  '2001:db8::/129',
  '::',
  '::1',
  ':::',
  '::ffff:192.0.2.1',
  '::192.0.2.1',
  '::ffff:192.0.02.1',
  '1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7:8:9',
  '12345::',
  'fe80::1%eth0',
  '[::1]',
  '192.0.2.1/24/8',
  '192.0.2.1/',
  '192.0.2.1/+8',
  'bank.example',
]

const fingerprints = ['AB'.repeat(32), Array(32).fill('ab').join(':'), 'ab'.repeat(31), 'zz'.repeat(32)]
const tenants = ['72f988bf-86f1-41af-91ab-2d7cd011db47', '72F988BF-86F1-41AF-91AB-2D7CD011DB47', '72f988bf']

const schemaOfTenant = InboundFields.shape.exchangeOnline.unwrap().unwrap().shape.tenantIds.element

const tables: [string, (text: string) => Checked, z.ZodType, string[]][] = [
  ['domain patterns', checkPattern, DomainPattern, names],
  ['certificate names', checkCertificateName, CertificateName, names],
  ['domains', checkDomain, DomainName, names],
  ['addresses', checkRange, IpRange, ranges],
  ['fingerprints', checkFingerprint, Fingerprint, fingerprints],
  ['tenant ids', checkTenant, schemaOfTenant, tenants],
]

describe('the check of values as they are typed', () => {
  for (const [title, check, schema, texts] of tables)
    test(`agrees with the API about ${title}`, () => {
      for (const text of texts) {
        const parsed = schema.safeParse(text)
        const checked = check(text)
        assert.equal('value' in checked ? checked.value : null, parsed.success ? parsed.data : null, text)
      }
    })

  test('agrees with the API about names', () => {
    for (const text of ['From the bank', '', 'a'.repeat(64), 'a'.repeat(65), 'two  spaces', 'a\u202eb'])
      assert.equal(checkName(text) === null, name.safeParse(text).success, JSON.stringify(text))
  })

  test('reads smart hosts with and without a port', () => {
    const rows: [string, { host: string; port: number } | null][] = [
      ['relay.example', { host: 'relay.example', port: 25 }],
      ['Relay.Example:2525', { host: 'relay.example', port: 2525 }],
      ['192.0.2.1:26', { host: '192.0.2.1', port: 26 }],
      ['2001:db8::1', { host: '2001:db8::1', port: 25 }],
      ['[2001:db8::1]:26', { host: '2001:db8::1', port: 26 }],
      ['[relay.example]:26', null],
      ['relay.example:0', null],
      ['relay.example:65536', null],
      ['relay example', null],
      ['192.0.2.256', null],
    ]
    for (const [text, expected] of rows) {
      assert.deepEqual(parseHost(text), expected, text)
      if (expected !== null) assert.deepEqual(SmartHostInput.parse(expected), expected)
    }
  })
})
