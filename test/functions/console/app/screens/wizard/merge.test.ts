/** Two changes of one connector, merged by field. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Choices,
  canHoldBoth,
  mergedBody,
  mergeFields,
} from '../../../../../../functions/console/app/screens/wizard/merge.ts'

const base = { name: 'From the bank', comment: '', domains: ['a', 'b'], limit: null }

interface Row {
  name: string
  saved: object
  entered: object
  sources: Record<string, string>
  choices?: Choices
  /** Null: a conflict has no choice. */
  merged: object | null
}

const rows: Row[] = [
  { name: 'no change', saved: {}, entered: {}, sources: {}, merged: base },
  {
    name: 'changes of different fields',
    saved: { comment: 'saved' },
    entered: { limit: 5 },
    sources: { comment: 'Saved', limit: 'Draft' },
    merged: { ...base, comment: 'saved', limit: 5 },
  },
  {
    name: 'the same change twice',
    saved: { domains: ['a'] },
    entered: { domains: ['a'] },
    sources: { domains: 'Same' },
    merged: { ...base, domains: ['a'] },
  },
  {
    name: 'a conflict without a choice',
    saved: { comment: 'saved', limit: 9 },
    entered: { comment: 'entered' },
    sources: { comment: 'Conflict', limit: 'Saved' },
    merged: null,
  },
  {
    name: 'a conflict, and the saved value',
    saved: { comment: 'saved' },
    entered: { comment: 'entered' },
    sources: { comment: 'Conflict' },
    choices: { comment: 'Saved' },
    merged: { ...base, comment: 'saved' },
  },
  {
    name: 'a conflict, and the entered value',
    saved: { comment: 'saved' },
    entered: { comment: 'entered' },
    sources: { comment: 'Conflict' },
    choices: { comment: 'Draft' },
    merged: { ...base, comment: 'entered' },
  },
  {
    name: 'two lists of which both hold: each adds one, one removes one',
    saved: { domains: ['a', 'b', 'c'] },
    entered: { domains: ['b', 'd'] },
    sources: { domains: 'Conflict' },
    choices: { domains: 'Both' },
    merged: { ...base, domains: ['b', 'c', 'd'] },
  },
  {
    name: 'two lists that add the same entry',
    saved: { domains: ['a', 'b', 'c'] },
    entered: { domains: ['a', 'b', 'd', 'c'] },
    sources: { domains: 'Conflict' },
    choices: { domains: 'Both' },
    merged: { ...base, domains: ['a', 'b', 'c', 'd'] },
  },
  {
    name: 'a value that is removed here and changed there',
    saved: { limit: 7 },
    entered: { limit: null, comment: 'x' },
    sources: { comment: 'Draft', limit: 'Saved' },
    merged: { ...base, limit: 7, comment: 'x' },
  },
]

describe('the merge of two changes', () => {
  for (const { name, saved, entered, sources, choices = {}, merged } of rows)
    test(`of ${name}`, () => {
      const draft = { ...base, ...entered }
      const fields = mergeFields(base, { ...base, ...saved }, draft)
      assert.deepEqual(Object.fromEntries(fields.map((field) => [field.name, field.source])), sources)
      assert.deepEqual(mergedBody(draft, fields, choices), merged)
    })

  test('offers both values of lists only', () => {
    const [list] = mergeFields(base, { ...base, domains: ['a'] }, { ...base, domains: ['b'] })
    const [text] = mergeFields(base, { ...base, comment: 'a' }, { ...base, comment: 'b' })
    assert.ok(list && text)
    assert.deepEqual([canHoldBoth(list), canHoldBoth(text)], [true, false])
  })
})
