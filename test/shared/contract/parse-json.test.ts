import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonFault } from '../../../shared/contract/parse-json.ts'

const rows: [text: string, fault: string][] = [
  ['', 'Unexpected end of JSON input'],
  ['{"name":', 'Unexpected end of JSON input'],
  ['[{"a": 1\n"b": 2}]', "Expected ',' or '}' after property value (line 2 column 1)"],
  ['{"a": 1,}', 'Expected double-quoted property name (line 1 column 9)'],
  ['{"a": "x\u001b"}', 'Bad control character in string literal (line 1 column 9)'],
  ['{"secret": x}', "Unexpected token 'x'"],
  [`{"secret": "${'x'.repeat(99)}", "b": tru, "c": 1}`, "Unexpected token ','"],
]
for (const [text, fault] of rows)
  test(`a JSON fault says what is wrong and where, without the text: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => JSON.parse(text),
      (error: Error) => {
        assert.equal(jsonFault(error), fault)
        return true
      },
    )
  })
