import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CsvValue, csvText } from '../../../shared/http-api/csv.ts'
import { csvListResponse } from '../../../shared/http-api/lists.ts'

describe('a value in CSV', () => {
  const rows: [name: string, value: CsvValue, field: string][] = [
    ['a text', 'a', 'a'],
    ['a comma', 'a,b', '"a,b"'],
    ['a quote', 'say "a"', '"say ""a"""'],
    ['a line break', 'a\r\nb', '"a\r\nb"'],
    ['text beyond ASCII', 'bücher@日本.example', 'bücher@日本.example'],
    ['a number below zero', -1, '-1'],
    ['a boolean', false, 'false'],
    ['null', null, ''],
    ['an absent value', undefined, ''],
    ['a formula', '=1+1', "'=1+1"],
    ['a formula with a comma and quotes', '=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['an address that begins with a plus sign', '+tag@ours.example', "'+tag@ours.example"],
    ['a minus sign', "-cmd|'/c calc'!A0", "'-cmd|'/c calc'!A0"],
    ['an at sign', '@SUM(A1)', "'@SUM(A1)"],
    ['a tab before a formula', '\t=1', "'\t=1"],
    ['a carriage return before a formula', '\r=1', `"'\r=1"`],
    ['an equals sign in full width', '＝1', "'＝1"],
    ['an apostrophe, which is doubled so that the text can be restored', "'a'", "''a'"],
    ['an equals sign that is not the first character', 'a=1', 'a=1'],
  ]
  for (const [name, value, field] of rows)
    test(`is written as ${JSON.stringify(field)}: ${name}`, () => {
      assert.equal(csvText(['column'], [{ column: value }]), `column\r\n${field}\r\n`)
    })
})

test('CSV without rows is the header line', () => {
  assert.equal(csvText(['a', 'b'], []), 'a,b\r\n')
})

describe('a page of CSV', () => {
  const target = { path: '/messages', query: 'sender=%3C%3E&limit=2&cursor=old&to=x' }
  const page = (next: unknown, fixed?: Record<string, string>) =>
    csvListResponse({ name: 'messages', columns: ['a'], rows: [], next, ...(fixed && { fixed }) }, target)

  test('has the address of the next page in the header, with the same parameters and the fixed ones', () => {
    const { headers = {} } = page({ before: 'x' }, { from: '2026-02-02T00:00:00.000Z', to: 'now' })
    const [, address = ''] = /^<(.*)>; rel="next"$/.exec(headers.link ?? '') ?? []
    const { pathname, searchParams } = new URL(address, 'http://api.example')
    assert.equal(pathname, '/messages')
    assert.deepEqual(Object.fromEntries(searchParams), {
      sender: '<>',
      limit: '2',
      cursor: Buffer.from('{"before":"x"}').toString('base64url'),
      from: '2026-02-02T00:00:00.000Z',
      to: 'now',
    })
  })

  test('has no such header when it is the last', () => {
    const { headers } = page(null)
    assert.deepEqual(headers, {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="messages.csv"',
    })
  })
})
