import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePolicy } from '../../../../shared/net/mta-sts/policy.ts'

const parse = (text: string) => parsePolicy(Buffer.from(text))
const lines = (...some: string[]) => some.join('\n')
const defaults = ['version: STSv1', 'mode: enforce', 'mx: mx.partner.example', 'max_age: 86400']
const without = (field: string) => defaults.filter((line) => !line.startsWith(field))

describe('parsePolicy accepts a policy with', () => {
  const rows: [why: string, text: string, expected: object][] = [
    ['all fields', lines(...defaults), {}],
    ['CRLF after the last line', `${defaults.join('\r\n')}\r\n`, {}],
    ['mixed line endings and empty lines', defaults.join('\r\n\n \n'), {}],
    ['its fields in another order', lines(...defaults.toReversed()), {}],
    [
      'spaces before and after values',
      defaults.map((line) => `${line.replace(': ', ':\t  ')} \t`).join('\n'),
      {},
    ],
    ['no spaces after colons', lines(...defaults).replaceAll(': ', ':'), {}],
    ['unknown fields', lines(...defaults, 'comment: grüße', 'Mode: none', 'x.y-z_1:'), {}],
    [
      'repeated fields, of which it reads the first',
      lines(...defaults, 'version: STSv2', 'mode: none', 'max_age: 1'),
      {},
    ],
    [
      'several hosts',
      lines(...defaults, 'mx: *.partner.example'),
      { mx: ['mx.partner.example', '*.partner.example'] },
    ],
    ['a repeated host in another letter case', lines(...defaults, 'mx: MX.Partner.example'), {}],
    [
      'A-labels',
      lines(...without('mx'), 'mx: mx.xn--bcher-kva.example'),
      { mx: ['mx.xn--bcher-kva.example'] },
    ],
    ['mode testing', lines(...without('mode'), 'mode: testing'), { mode: 'testing' }],
    ['mode none and a host', lines(...without('mode'), 'mode: none'), { mode: 'none' }],
    ['mode none and no hosts', 'version: STSv1\nmode: none\nmax_age: 86400', { mode: 'none', mx: [] }],
    ['the minimum max_age', lines(...without('max_age'), 'max_age: 0'), { maxAge: 0 }],
    ['the maximum max_age', lines(...without('max_age'), 'max_age: 31557600'), { maxAge: 31_557_600 }],
    ['a max_age with leading zeros', lines(...without('max_age'), 'max_age: 0000086400'), {}],
  ]
  for (const [why, text, expected] of rows)
    it(why, () =>
      assert.deepEqual(parse(text), {
        kind: 'Policy',
        policy: { mode: 'enforce', mx: ['mx.partner.example'], maxAge: 86_400, ...expected },
      }),
    )
})

describe('parsePolicy refuses a policy', () => {
  const rows: [text: string, fault: RegExp][] = [
    ['', /no version/],
    [lines(...without('version')), /no version/],
    [lines(...without('mode')), /no mode/],
    [lines(...without('max_age')), /no max_age/],
    [lines(...without('mx')), /no mx/],
    [lines(...without('version'), 'version: STSv2'), /version cannot be "STSv2"/],
    [lines(...without('version'), 'version: stsv1'), /version cannot be "stsv1"/],
    [lines(...without('version'), 'Version: STSv1'), /no version/],
    [lines(...without('mode'), 'mode: Enforce'), /mode cannot be "Enforce"/],
    [lines(...without('mode'), 'mode: enforced'), /mode cannot be/],
    [lines(...without('mode'), 'mode:'), /mode cannot be ""/],
    [lines(...without('max_age'), 'max_age: 31557601'), /max_age cannot be "31557601"/],
    [lines(...without('max_age'), 'max_age: -1'), /max_age cannot be "-1"/],
    [lines(...without('max_age'), 'max_age: 1e5'), /max_age cannot be/],
    [lines(...without('max_age'), 'max_age: 86400s'), /max_age cannot be/],
    [lines(...without('max_age'), 'max_age: 00000086400'), /max_age cannot be/],
    [lines(...without('max_age'), 'max_age:'), /max_age cannot be ""/],
    ...[
      '*',
      'mx.*.example',
      '*mx.example',
      '*.*.example',
      'mx..example',
      'bücher.example',
      '[192.0.2.1]',
    ].map((mx): [string, RegExp] => [lines(...defaults, `mx: ${mx}`), /mx cannot be/]),
    ...[
      '192.0.2.1',
      '-mx.example',
      'mx .example',
      'mx.example, mx2.example',
      '',
      `${'a'.repeat(64)}.example`,
    ].map((mx): [string, RegExp] => [lines(...defaults, `mx: ${mx}`), /mx cannot be/]),
    [lines(...without('mode'), 'mode: none', 'mx: *'), /mx cannot be/],
    ['<html><body>Not found</body></html>', /Line 1 is not a field: "<html>/],
    [lines(...defaults, 'and some words'), /Line 5 is not a field: "and some words"/],
    [lines('version : STSv1', ...without('version')), /Line 1 is not a field/],
    [lines(' version: STSv1', ...without('version')), /Line 1 is not a field/],
    [defaults.join('\r'), /version cannot be/],
    [lines(...defaults, 'x\u202e: y'), /Line 5 is not a field: "x\?: y"/],
  ]
  for (const [text, fault] of rows)
    it(`${JSON.stringify(text)} with the fault ${fault}`, () => {
      const result = parse(text)
      assert.equal(result.kind, 'Invalid')
      assert.match(result.kind === 'Invalid' ? result.fault : '', fault)
    })

  it('with octets that are not UTF-8', () => {
    const octets = Buffer.concat([Buffer.from(`${lines(...defaults)}\ncomment: `), Buffer.from([0xff, 0xfe])])
    assert.deepEqual(parsePolicy(octets), { kind: 'Invalid', fault: 'It is not UTF-8' })
  })
})

describe('parsePolicy for any file of a policy host', () => {
  it('returns a policy within limits or a short fault', () => {
    const word = fc.constantFrom(
      ...defaults,
      'mode: none',
      'mx: *.b.example',
      'max_age: 5',
      '',
      ':',
      'x: y',
      '\r',
      'mx:',
    )
    const text = fc.array(fc.oneof(word, fc.string()), { maxLength: 12 }).map((some) => some.join('\n'))
    fc.assert(
      fc.property(
        fc.oneof(
          text.map((some) => Buffer.from(some)),
          fc.uint8Array().map(Buffer.from),
        ),
        (octets) => {
          const result = parsePolicy(octets)
          if (result.kind === 'Invalid') return assert.ok(result.fault.length < 200)
          const { mode, mx, maxAge } = result.policy
          assert.ok(maxAge >= 0 && maxAge <= 31_557_600)
          assert.ok(mx.length > 0 || mode === 'none')
          for (const pattern of mx) assert.match(pattern, /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/)
        },
      ),
      { numRuns: 500 },
    )
  })

  for (const [condition, text] of [
    ['spaces', `${' '.repeat(65_000)}x`],
    ['spaces after a name', `mx:${' '.repeat(65_000)}x`],
    ['labels', `mx: ${'a.'.repeat(32_000)}`],
    ['hyphens', `mx: ${'a-'.repeat(32_000)}!`],
    ['hosts', lines(...defaults, ...Array.from({ length: 9_000 }, (_, n) => `mx:${n}`))],
    ['ends of lines', '\n'.repeat(65_000)],
  ] as const)
    it(`of 64 KB of ${condition} ends and does not throw`, () => {
      assert.doesNotThrow(() => parse(text))
    })
})
