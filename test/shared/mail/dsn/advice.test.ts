/** The advice for each code: every code that mailflow creates has its own row. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { PolicySource } from '../../../../shared/contract/message.ts'
import { advice, adviceFor, isTlsCode } from '../../../../shared/mail/dsn/advice.ts'

const root = join(import.meta.dirname, '../../../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** Final codes that can occur after a message was accepted. */
const assigned = [
  ...['5.7.10', '5.7.51', '5.7.64', '5.7.320', '5.7.321', '5.7.322', '5.7.323', '5.7.324', '5.7.325'],
  ...['5.7.5', '5.7.30', '4.4.312', '4.4.315', '4.4.316', '4.4.317', '4.4.318', '4.4.7', '5.1.10'],
]

const exact = new Set(advice.map(({ code }) => code))
const detailOf = (enhanced: string) => enhanced.slice(2)

test('every final code that can occur after a message was accepted has its own row of advice', () => {
  assert.deepEqual(
    assigned.filter((enhanced) => !exact.has(detailOf(enhanced))),
    [],
  )
  assert.match(adviceFor('5.4.8', 'MtaSts', false).happened, /MTA-STS/)
  assert.match(adviceFor('5.7.0', null, false).happened, /administrator of this system returned/)
  assert.match(adviceFor('5.7.0', null, true).happened, /^The recipient's mail server refused/)
  assert.match(adviceFor('4.3.5', null, false).happened, /certificate/)
  assert.match(adviceFor('4.3.5', null, true).happened, /not configured correctly/)
})

test('every code in the source of net, policy and tls has its own row of advice, but for listed exceptions', () => {
  const sources = globSync('shared/{net,policy,tls}/**/*.ts', { cwd: root }).map(read)
  const codes = sources.flatMap((source) => [
    ...[...source.matchAll(/\breply\(\s*(?:[45]\d\d|\w+ \? \d+ : \d+), '[45]\.(\d\.\d+)'/g)].map(
      ([, code = '']) => code,
    ),
    ...[...source.matchAll(/\bfault\('[45]\.(\d\.\d+)'/g)].map(([, code = '']) => code),
  ])
  assert.ok(new Set(codes).size > 15)
  // These codes share the row of their subject: a bad address, a failure of SES, no SMTP, an unknown kind of content.
  const codesOfSharedRows = ['1.3', '4.0', '5.0', '6.0', '6.3']
  assert.deepEqual(
    [...new Set(codes)].filter((code) => !exact.has(code) && !codesOfSharedRows.includes(code)).toSorted(),
    [],
  )
})

describe('an enhanced status code of a next hop', () => {
  const rows: [enhanced: string, code: string][] = [
    ['', '*'],
    ['5.1.1', '1.1'],
    ['5.1.6', '1.*'],
    ['5.1.10', '1.10'],
    ['5.2.1', '2.*'],
    ['4.2.2', '2.2'],
    ['5.4.1', '4.*'],
    ['5.4.8', '4.*'],
    ['5.5.4', '5.*'],
    ['5.6.9', '6.*'],
    ['5.7.1', '7.*'],
    ['5.7.51', '7.*'],
    ['5.7.10', '7.*'],
    ['5.7.999', '7.*'],
    ['5.9.9', '*'],
    ['nonsense', '*'],
  ]
  for (const [enhanced, code] of rows)
    test(`${enhanced || '"", which means none,'} selects the row "${code}" of advice`, () => {
      assert.equal(
        adviceFor(enhanced, null, true),
        advice.find((row) => row.code === code && row.source === undefined),
      )
    })
})

test('a code with advice for one source of the TLS requirement has other advice for the source Connector', () => {
  const rows = advice.filter(({ source }) => source !== undefined && source !== 'Connector')
  for (const { code, source } of rows) {
    const adviceForSource = adviceFor(`5.${code}`, source ?? null, false)
    const adviceForConnector = adviceFor(`5.${code}`, 'Connector', false)
    assert.notEqual(adviceForSource.happened, adviceForConnector.happened)
    assert.equal(isTlsCode(`4.${code}`), true)
  }
})

describe('advice says that a policy which the connector requires is missing, for', () => {
  const rows: [enhanced: string, published: PolicySource, missing: RegExp][] = [
    ['5.7.323', 'Dane', /does not prove the certificate/],
    ['5.4.8', 'MtaSts', /enforces no list/],
  ]
  for (const [enhanced, published, missing] of rows)
    test(enhanced, () => {
      assert.match(adviceFor(enhanced, 'Connector', false).happened, missing)
      assert.doesNotMatch(adviceFor(enhanced, published, false).happened, missing)
    })
})

test('each row of advice has one sentence about the event and one about the remedy, both without a status code', () => {
  for (const { happened, remedy } of advice)
    for (const sentence of [happened, remedy]) assert.match(sentence, /^[A-Z][^.]*[^\d.][^.]*\.$/)
})
