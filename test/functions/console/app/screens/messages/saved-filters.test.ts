import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  deleteFilter,
  filterChange,
  readSavedFilters,
  saveFilter,
  selectedName,
} from '../../../../../../functions/console/app/screens/messages/saved-filters.ts'

function memoryStorage(text: string | null = null) {
  let stored = text
  return {
    getItem: () => stored,
    setItem: (_key: string, value: string) => {
      stored = value
    },
  }
}

describe('saved filters', () => {
  test('are kept by name, without the page', () => {
    const storage = memoryStorage()
    saveFilter(storage, 'B', { sender: 'b.example', cursor: 'c' })
    saveFilter(storage, 'A', { last: '7-day' })
    saveFilter(storage, 'B', { sender: 'c.example' })
    assert.deepEqual(readSavedFilters(storage), [
      { name: 'A', state: { last: '7-day' } },
      { name: 'B', state: { sender: 'c.example' } },
    ])
    assert.deepEqual(
      deleteFilter(storage, 'A').map(({ name }) => name),
      ['B'],
    )
  })

  test('replace all filters when they are selected', () => {
    const filter = { name: 'A', state: { sender: 'a.example' } }
    const change = filterChange(filter)
    assert.deepEqual([change.sender, change.recipient, change.last, change.cursor], ['a.example', '', '', ''])
    assert.equal(selectedName([filter], { sender: 'a.example', cursor: 'c' }), 'A')
    assert.equal(selectedName([filter], { sender: 'a.example', state: 'Bounced' }), null)
  })

  for (const text of ['{', '{}', 'null', '[1, null, {"name": 1}, {"name": "A", "state": {"sender": 1}}]'])
    test(`are none if the browser has ${text}`, () => {
      assert.deepEqual(readSavedFilters(memoryStorage(text)), [])
    })
})
