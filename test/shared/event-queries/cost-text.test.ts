import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { costText } from '../../../shared/event-queries/cost-text.ts'

describe('the cost of a search', () => {
  const price = '(5 USD per TB in most Regions, at least 10 MB).'
  const rows: [scannedOctets: number, isBilled: boolean, text: string][] = [
    [0, false, 'The search read 0 octets in 1.5 s.'],
    [15_465, false, 'The search read 15.5 kB in 1.5 s.'],
    [0, true, `The search read 0 octets in 1.5 s. AWS charges less than 0.01 USD ${price}`],
    [3_200_000, true, `The search read 3.2 MB in 1.5 s. AWS charges less than 0.01 USD ${price}`],
    [2_000_000_000, true, `The search read 2.0 GB in 1.5 s. AWS charges about 0.01 USD ${price}`],
    [150_000_000_000, true, `The search read 150.0 GB in 1.5 s. AWS charges about 0.75 USD ${price}`],
    [1.2e12, true, `The search read 1.2 TB in 1.5 s. AWS charges about 6.00 USD ${price}`],
  ]
  for (const [scannedOctets, isBilled, text] of rows)
    test(`${scannedOctets} octets${isBilled ? ', billed' : ''}`, () =>
      assert.equal(costText({ scannedOctets, ms: 1540, isBilled }), text))
})
