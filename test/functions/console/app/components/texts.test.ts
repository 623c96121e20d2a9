import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationText } from '../../../../../functions/console/app/components/duration-text.ts'
import { octetsText } from '../../../../../functions/console/app/components/octets-text.ts'

const minute = 60_000
const hour = 60 * minute

for (const [ms, text] of [
  [-1, 'now'],
  [minute - 1, 'under a minute'],
  [59 * minute, '59 min'],
  [3 * hour + 12 * minute, '3 h 12 min'],
  [51 * hour, '2 d 3 h'],
] as const)
  test(`${ms} ms are ${text}`, () => assert.equal(durationText(ms), text))

for (const [octets, text] of [
  [0, '0 B'],
  [999, '999 B'],
  [5651, '5.7 kB'],
  [9_960, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [12_000_000, '12 MB'],
  [3e15, '3000 TB'],
] as const)
  test(`${octets} octets are ${text}`, () => assert.equal(octetsText(octets), text))
