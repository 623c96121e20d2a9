/** Tests what is kept of the wizard's input while a person signs in again. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { newDraft } from '../../../../../../functions/console/app/screens/wizard/draft.ts'
import {
  dropKeptInput,
  keepInput,
  takeKeptInput,
} from '../../../../../../functions/console/app/screens/wizard/kept-input.ts'

const draft = newDraft({ direction: 'inbound', domains: ['bank.example'], defaultRoute: 'Mx' })
const input = { draft, base: null, at: '2026-02-10T12:00:00.000Z' }

const ann = { path: '/console/partners/add', person: 'ann' }
const ray = { ...ann, person: 'ray' }
const elsewhere = { ...ann, path: '/console/partners' }

describe('the kept input', () => {
  let stored: Map<string, string>
  let limit: number

  beforeEach(() => {
    stored = new Map()
    limit = Number.POSITIVE_INFINITY
    Object.defineProperty(globalThis, 'sessionStorage', {
      configurable: true,
      value: {
        getItem: (key: string) => stored.get(key) ?? null,
        setItem: (key: string, value: string) => {
          if (value.length > limit) throw new DOMException('The quota is exceeded', 'QuotaExceededError')
          stored.set(key, value)
        },
        removeItem: (key: string) => void stored.delete(key),
      },
    })
  })
  afterEach(() => void Reflect.deleteProperty(globalThis, 'sessionStorage'))

  test('is returned once, in the view and to the person who entered it', () => {
    keepInput(input, ann)
    assert.equal(takeKeptInput(ray), null)
    assert.equal(takeKeptInput(elsewhere), null)
    assert.deepEqual(takeKeptInput(ann)?.draft, draft)
    assert.equal(takeKeptInput(ann), null)
    keepInput(input, ann)
    dropKeptInput()
    assert.equal(takeKeptInput(ann), null)
  })

  test('is left out, and an earlier one removed, if the browser has no room for it', () => {
    keepInput(input, ann)
    limit = 10
    keepInput(input, ann)
    assert.equal(takeKeptInput(ann), null)
  })

  test('of an earlier version of the console gets the fields that it lacks', () => {
    const { comment: _, ...values } = draft.values
    keepInput({ ...input, draft: { ...draft, values } }, ann)
    assert.deepEqual(takeKeptInput(ann)?.draft.values, draft.values)
  })

  for (const text of [
    '{',
    'null',
    '[]',
    JSON.stringify({ path: '/console/partners/add', person: 'ann' }),
    JSON.stringify({ path: '/console/partners/add', person: 'ann', draft: { direction: 'up', values: {} } }),
  ])
    test(`is none if the browser has stored ${text.slice(0, 90)}`, () => {
      stored.set('mailflow-connector-input', text)
      assert.equal(takeKeptInput(ann), null)
    })
})
