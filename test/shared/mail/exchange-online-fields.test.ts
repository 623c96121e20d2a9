import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readExchangeOnlineFields, unusableValue } from '../../../shared/mail/exchange-online-fields.ts'

const id = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const read = (header: string) => readExchangeOnlineFields(Buffer.from(header, 'latin1'))

const rows: [title: string, field: string, tenantIds: string[], organizations?: string[]][] = [
  ['no field', '', []],
  ['the plain field', `X-MS-Exchange-CrossTenant-Id: ${id}\r\n`, [id]],
  ['no space after the colon', `X-MS-Exchange-CrossTenant-Id:${id}\r\n`, [id]],
  ['another letter case of name and value', `x-ms-exchange-crosstenant-ID: ${id.toUpperCase()}\r\n`, [id]],
  ['a folded value', `X-MS-Exchange-CrossTenant-Id:\r\n\t${id} \r\n`, [id]],
  [
    'a value with a fold within',
    `X-MS-Exchange-CrossTenant-Id: ${id.slice(0, 8)}\r\n ${id.slice(8)}\r\n`,
    [`${id.slice(0, 8)} ${id.slice(8)}`],
  ],
  ['a comment', `X-MS-Exchange-CrossTenant-Id: ${id} (ours)\r\n`, [`${id} (ours)`]],
  ['an empty value', 'X-MS-Exchange-CrossTenant-Id:\r\n', ['']],
  ['the last line without CRLF', `X-MS-Exchange-CrossTenant-Id: ${id}`, [id]],
  ['the same value twice', `X-MS-Exchange-CrossTenant-Id: ${id}\r\n`.repeat(2), [id, id]],
  ['three values', `X-MS-Exchange-CrossTenant-Id: ${id}\r\n`.repeat(3), [id, id]],
  ['a long value', `X-MS-Exchange-CrossTenant-Id: ${'a'.repeat(300)}\r\n`, ['a'.repeat(255)]],
  ['a space before the colon', `X-MS-Exchange-CrossTenant-Id : ${id}\r\n`, [unusableValue]],
  ['a fold before the colon', `X-MS-Exchange-CrossTenant-Id\r\n : ${id}\r\n`, [unusableValue]],
  ['a control before the name', `\x0bX-MS-Exchange-CrossTenant-Id: ${id}\r\n`, [unusableValue]],
  ['a control within the name', `X-MS-Exchange-\x01CrossTenant-Id: ${id}\r\n`, [unusableValue]],
  ['an octet beyond ASCII in the name', `X-MS-Exchange-CrossTenant-Id\xa0: ${id}\r\n`, [unusableValue]],
  ['a zero width space in UTF-8', `X-MS-Exchange-CrossTenant\xe2\x80\x8b-Id: ${id}\r\n`, [unusableValue]],
  ['an octet beyond ASCII in the value', `X-MS-Exchange-CrossTenant-Id:\xa0${id}\r\n`, [unusableValue]],
  ['a control in the value', `X-MS-Exchange-CrossTenant-Id: ${id}\x0c\r\n`, [unusableValue]],
  [
    'the plain field and an odd one',
    `X-MS-Exchange-CrossTenant-Id : ${id}\r\nX-MS-Exchange-CrossTenant-Id: ${id}\r\n`,
    [unusableValue, id],
  ],
  ['a line without colon before it', `no field\r\nX-MS-Exchange-CrossTenant-Id: ${id}\r\n`, [unusableValue]],
  ['a line of mbox before it', `From a@b 12:00\r\nX-MS-Exchange-CrossTenant-Id: ${id}\r\n`, [unusableValue]],
  ['a line without colon after it', `X-MS-Exchange-CrossTenant-Id: ${id}\r\nno field\r\n`, [id]],
  ['the field within another', `Subject: x\r\n X-MS-Exchange-CrossTenant-Id: ${id}\r\n`, []],
  ['longer names', `X-MS-Exchange-CrossTenant-Id-: a\r\nY-X-MS-Exchange-CrossTenant-Id: b\r\n`, []],
  ['names of JavaScript', 'constructor: a\r\n__proto__: b\r\n', []],
  ['an organization', 'X-OriginatorOrg: Ours.example\r\n', [], ['ours.example']],
  ['two organizations', 'X-OriginatorOrg: a\r\nx-originatororg: b\r\n', [], ['a', 'b']],
  ['an organization with a space before the colon', 'X-OriginatorOrg\t: a\r\n', [], [unusableValue]],
]
for (const [title, field, tenantIds, originatorOrganizations = []] of rows)
  test(`readExchangeOnlineFields reads ${title}`, () =>
    assert.deepEqual(read(`Subject: a\r\n${field}`), { tenantIds, originatorOrganizations }))

test('no octets that a reader may ignore hide a field, and none of these spellings gives a value', () => {
  const ignored = fc.string({ unit: fc.constantFrom(' ', '\t', '\x01', '\x7f', '\x80', '\xff', '\r\n ') })
  const name = 'X-MS-Exchange-CrossTenant-Id'
  const cuts = fc.uniqueArray(fc.tuple(fc.nat(name.length), ignored), {
    maxLength: 4,
    selector: ([at]) => at,
  })
  fc.assert(
    fc.property(cuts, (cuts) => {
      const parts = new Map(cuts)
      const spelling = [...name, ''].map((letter, at) => (parts.get(at) ?? '') + letter).join('')
      // White space at the start of a line continues the previous field.
      if (/^[ \t]|^\r\n/.test(spelling)) return
      const plain = spelling === name
      assert.deepEqual(read(`Subject: a\r\n${spelling}: ${id}\r\n`).tenantIds, [plain ? id : unusableValue])
    }),
  )
})

test('a header of 256 KiB is read in a short time', () => {
  const size = 262_144
  for (const header of [
    'X-OriginatorOrg: a\r\n'.repeat(size / 20),
    `X-OriginatorOrg: ${' '.repeat(size)}x\r\n`,
    `X-OriginatorOrg${' '.repeat(size)}\r\n`,
    `X-OriginatorOrg:${'\r\n '.repeat(size / 3)}\r\n`,
    `${'x'.repeat(size)}\r\n`,
    '\r\n'.repeat(size / 2),
  ]) {
    const { tenantIds, originatorOrganizations } = read(header)
    assert.ok(tenantIds.length === 0 && originatorOrganizations.length <= 2)
  }
})
