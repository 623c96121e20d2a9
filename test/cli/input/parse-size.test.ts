import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSize } from '../../../cli/input/parse-size.ts'

const sizes: [text: string, octets: number][] = [
  ['1', 1],
  ['2000', 2000],
  ['500KB', 512_000],
  ['10MB', 10_485_760],
  ['10mb', 10_485_760],
  ['1GB', 1_073_741_824],
]
for (const [text, octets] of sizes)
  test(`${text} is ${octets} octets`, () => {
    assert.equal(parseSize('--min-size', text), octets)
  })

for (const text of ['', '0', '0MB', '-1', '1.5MB', '10M', '10 MB', '10MiB', '1TB', 'MB', '999999999999999GB'])
  test(`"${text}" is refused with the name of the option`, () => {
    assert.throws(() => parseSize('--min-size', text), {
      message: /^--min-size .*: not a size; examples: 10MB, /,
    })
  })
