import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sizeText } from '../../../../../../functions/console/app/screens/message/octets.ts'
import { missingSince } from '../../../../../../functions/console/app/screens/messages/search-period.ts'
import {
  periodOf,
  rangeChange,
  rangeFault,
  readRange,
  traceCoverage,
} from '../../../../../../functions/console/app/screens/messages/time-range.ts'
import {
  apiQuery,
  filterHints,
  filtersOf,
  fromTokens,
  isMessageId,
  searchInput,
  toTokens,
  toViewChange,
} from '../../../../../../functions/console/app/screens/messages/trace-filters.ts'

const now = Date.parse('2026-02-20T12:00:00Z')

describe('filters of the message trace', () => {
  test('are the same after a way through the tokens', () => {
    const filters = { sender: '<>', state: 'Rejected', minSize: '10485760' }
    assert.deepEqual(filtersOf({ ...filters, last: '7-day', cursor: 'c' }), filters)
    assert.deepEqual(fromTokens(toTokens(filters)), filters)
  })

  test('have one value each, the later one', () => {
    const token = (value: string) => ({ propertyKey: 'sender', operator: '=', value })
    assert.deepEqual(fromTokens([token('a.example'), token(' b.example '), token('')]), {
      sender: 'b.example',
    })
  })

  test('are chosen by the text, if a person chose none', () => {
    const filtersOfTexts = (...values: string[]) =>
      fromTokens(values.map((value) => ({ operator: '=', value })))
    assert.deepEqual(filtersOfTexts('b@y.example', 'a@x.example'), {
      recipient: 'b@y.example',
      sender: 'a@x.example',
    })
    assert.deepEqual(filtersOfTexts('<1@x.example>', '192.0.2.1', 'bank.example'), {
      messageId: '<1@x.example>',
      clientIp: '192.0.2.1',
      domain: 'bank.example',
    })
    assert.deepEqual(filtersOfTexts('2001:db8::1'), { clientIp: '2001:db8::1' })
  })

  test('have the domain of a wildcard', () => {
    for (const text of ['*@bank.example', '@bank.example'])
      assert.deepEqual(fromTokens([{ operator: '=', value: text }]), { domain: 'bank.example' })
  })

  test('say why they find nothing', () => {
    const rows = [
      [{ sender: '<>', recipient: 'a@x.example', domain: 'x.example' }, null],
      [{ recipient: 'a@x.example, b@x.example' }, /one value only/],
      [{ sender: 'a*@x.example' }, /no wildcards/],
      [{ recipient: 'dr@' }, /a whole address/],
      [{ domain: 'clinic' }, /a whole domain/],
    ] as const
    for (const [filters, text] of rows) {
      const [hint, ...rest] = filterHints(filters)
      assert.deepEqual(rest, [])
      if (text === null) assert.equal(hint, undefined)
      else assert.match(hint ?? '', text)
    }
  })

  test('know an id of this gateway', () => {
    const texts = ['01ARZ3NDEKTSV4RRFFQ69G5FAV', '01arz3ndektsv4rrffq69g5fav', 'bank.example', '8'.repeat(26)]
    assert.deepEqual(texts.map(isMessageId), [true, true, false, false])
  })

  test('have sizes in octets; the API refuses what is none', () => {
    const size = (value: string) => fromTokens([{ propertyKey: 'minSize', operator: '>=', value }]).minSize
    assert.deepEqual(['10 MB', '500kb', '2000', 'large'].map(size), ['10485760', '512000', '2000', 'large'])
    assert.deepEqual([10485760, 1536, 12].map(sizeText), ['10 MB', '1.5 KB', '12 octets'])
  })

  test('lead to the first page', () => {
    const change = toViewChange({ recipient: 'b.example' })
    assert.deepEqual(
      [change.recipient, change.sender, change.cursor, change.search],
      ['b.example', '', '', ''],
    )
  })
})

describe('the period of the message trace', () => {
  test('is the last 24 hours unless the address says otherwise', () => {
    assert.deepEqual(periodOf(readRange({}), now), { from: '2026-02-19T12:00:00.000Z' })
    assert.deepEqual(periodOf(readRange({ last: '7-day' }), now), { from: '2026-02-13T12:00:00.000Z' })
    assert.deepEqual(readRange({ last: '3-eternity' }), readRange({}))
    assert.deepEqual(readRange({ from: 'x', to: 'y' }), readRange({}))
  })

  test('is the same after a way through the address', () => {
    const range = {
      type: 'absolute',
      startDate: '2026-02-01T00:00:00+01:00',
      endDate: '2026-02-02T00:00:00Z',
    } as const
    assert.deepEqual(periodOf(readRange(rangeChange(range)), now), {
      from: '2026-01-31T23:00:00.000Z',
      to: '2026-02-02T00:00:00.000Z',
    })
    assert.equal(rangeChange(readRange({})).last, '')
  })

  test('ends after its start', () => {
    const range = {
      type: 'absolute',
      startDate: '2026-02-02T00:00:00Z',
      endDate: '2026-02-02T00:00:00Z',
    } as const
    assert.match(rangeFault(range) ?? '', /after the start/)
    assert.equal(rangeFault({ ...range, endDate: '2026-02-03T00:00:00Z' }), null)
    assert.match(rangeFault(null) ?? '', /Choose/)
  })

  test('is in the trace for 15 days, and listed for 31 days at once', () => {
    const coverage = (last: string) => traceCoverage(readRange({ last }), now)
    assert.deepEqual(['15-day', '16-day', '31-day', '32-day'].map(coverage), [
      'Whole',
      'Partial',
      'Partial',
      'TooLong',
    ])
  })
})

describe('a request', () => {
  test('to the trace has no end of a relative period', () => {
    assert.deepEqual(apiQuery({ sender: 'a.example', search: 's' }, now), {
      from: '2026-02-19T12:00:00.000Z',
      sender: 'a.example',
    })
  })

  test('for a search has an end, and the size as a number', () => {
    assert.deepEqual(searchInput({ last: '90-day', minSize: '5' }, now), {
      from: '2025-11-22T12:00:00.000Z',
      to: '2026-02-20T12:00:00.000Z',
      minSize: 5,
    })
  })

  test('may miss mail that is newer than the recorded events', () => {
    const period = { from: '2026-02-01T00:00:00.000Z', to: '2026-02-20T00:00:00.000Z' }
    assert.equal(missingSince(period, '2026-02-19T22:00:00.000Z'), '2026-02-19T22:00:00.000Z')
    assert.equal(missingSince(period, '2026-01-01T00:00:00.000Z'), period.from)
    assert.equal(missingSince(period, '2026-02-20T00:00:00.000Z'), null)
    assert.equal(missingSince(period, null), null)
  })
})
