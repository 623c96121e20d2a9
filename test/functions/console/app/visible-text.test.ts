import assert from 'node:assert/strict'
import { test } from 'node:test'
import { visibleText, visibleValue } from '../../../../functions/console/app/visible-text.ts'

test('characters that hide or reorder others are replaced; line breaks and letters stay', () => {
  assert.equal(visibleText('a\u202Egnp\u200B\u0000\r\n\tß 漢'), 'a�gnp��\r\n\tß 漢')
  assert.deepEqual(JSON.parse('{"a":["\\u202E",7,null]}', visibleValue), { a: ['�', 7, null] })
})
