import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cutToWidth, displayWidth, fillToWidth } from '../../../cli/text/display-width.ts'

describe('the width in a terminal', () => {
  const rows: [string, string, number][] = [
    ['of an empty text', '', 0],
    ['of ASCII', 'ann@ours.example', 16],
    ['of letters with an accent', 'Müller', 6],
    ['of letters with combining marks', 'Mu\u0308ller e\u0301', 8],
    ['of a combining mark without a letter', '\u0301', 0],
    ['of Chinese', '日本@例え.example', 17],
    ['of Korean syllables', '한국', 4],
    ['of Korean letters that form one syllable', '\u1112\u1161\u11ab', 2],
    ['of fullwidth letters', 'ＡＢ', 4],
    ['of halfwidth Katakana', 'ｱｲ', 2],
    ['of an emoji', '🙂', 2],
    ['of a flag, which is two characters', '🇩🇪', 2],
    ['of an arrow and an ellipsis', '→…', 2],
  ]
  for (const [name, text, width] of rows)
    test(`${name} is ${width}`, () => assert.equal(displayWidth(text), width))
})

describe('a text that is cut', () => {
  const rows: [string, number, string][] = [
    ['ours.example', 12, 'ours.example'],
    ['ours.example', 11, 'ours.examp…'],
    ['ours.example', 1, '…'],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['e\u0301e\u0301e\u0301', 3, 'e\u0301e\u0301e\u0301'],
    ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
    ['🇩🇪🇩🇪', 3, '🇩🇪…'],
  ]
  for (const [text, width, expected] of rows)
    test(`to ${width} columns: ${text} becomes ${expected}`, () =>
      assert.equal(cutToWidth(text, width), expected))

  test('is never wider than the limit, and padding fills it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 12 }), (text, width) => {
        const cut = cutToWidth(text, width)
        assert(displayWidth(cut) <= width)
        assert.equal(displayWidth(fillToWidth(cut, width)), width)
      }),
    )
  })
})
