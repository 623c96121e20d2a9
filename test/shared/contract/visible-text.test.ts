import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { visibleJson } from '../../../shared/contract/visible-text.ts'

test('visibleJson escapes ESC, DEL, C1 controls and what shows nothing, and leaves other text', () =>
  assert.equal(
    visibleJson({ 'é\u009b': 'a\u001b\u007f\u0085\u202e\u{e0041}\ud800 😀' }),
    String.raw`{"é\u009b":"a\u001b\u007f\u0085\u202e\udb40\udc41\ud800 😀"}`,
  ))

test('visibleJson parses back to the value, and has no control character except the line breaks of its indentation', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.constantFrom(0, 2), (value, indent) => {
      const json = visibleJson(value, indent)
      assert.doesNotMatch(json, /[^\P{Cc}\n]|\p{Default_Ignorable_Code_Point}/u)
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(value)))
    }),
  )
})
