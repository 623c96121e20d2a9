import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ChangeEntry } from '../../../../../../functions/console/app/api/types.ts'
import { changeQuery } from '../../../../../../functions/console/app/screens/changes/change-query.ts'
import {
  changedFields,
  changesCsv,
  changesJson,
  listChange,
  valueText,
} from '../../../../../../functions/console/app/screens/changes/changed-fields.ts'

const change: ChangeEntry = {
  version: 8,
  at: '2026-12-01T08:37:44.190Z',
  actor: 'ann',
  kind: 'outbound-connector',
  id: 'A',
  name: 'To the clinic',
  action: 'Changed',
  before: { comment: '', version: 1 },
  after: { comment: 'Agreed', version: 2, tlsDomain: null },
}

describe('a change', () => {
  test('has its fields before and after, without version and times', () =>
    assert.deepEqual(changedFields(change), [
      { name: 'comment', before: '', after: 'Agreed' },
      { name: 'tlsDomain', after: null },
    ]))
  test('of a list is what was added and removed', () => {
    assert.deepEqual(listChange(['a', 'b'], ['b', 'c']), { added: ['c'], removed: ['a'] })
    assert.equal(listChange(['a'], ['b']), null)
    assert.equal(listChange('a', ['a', 'b']), null)
  })
  test('is a file of CSV or JSON', () => {
    assert.equal(
      changesCsv([change]).split('\r\n')[0],
      'version,at,actor,kind,action,name,id,domain,before,after',
    )
    assert.deepEqual(JSON.parse(changesJson([change])), [change])
  })
})

for (const [value, text] of [
  [undefined, 'absent'],
  [null, 'null'],
  ['', 'empty'],
  [[], 'none'],
  [true, 'true'],
  [[{ host: 'mx.example', port: 25 }, 'a'], 'mx.example:25, a'],
] as const)
  test(`${JSON.stringify(value)} is shown as ${text}`, () => assert.equal(valueText(value), text))

test('the request for changes has only kinds that the API knows', () => {
  const state = { kind: 'domain', key: 'clinic', from: '2026-02-03', to: '2026-02-03' }
  assert.deepEqual(changeQuery(state, 'UTC', 0), {
    limit: 100,
    actor: undefined,
    kind: undefined,
    key: 'clinic',
    from: '2026-02-03T00:00:00.000Z',
    to: '2026-02-04T00:00:00.000Z',
  })
})
