/**
 * Shows that the rollups and reports are exact, with the whole stack on this machine:
 *
 *   npm run test:exactness -- [--messages N] [--seed N]
 */
import { parseArgs } from 'node:util'
import { isExact, runExactness } from './exactness.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
  },
})
const { comparisons, reports, lost, missing, ...rest } = await runExactness(
  Number(values.messages),
  Number(values.seed),
)
console.table(comparisons.map((each) => ({ ...each, exact: isExact(each) })))
console.table(reports)
console.log(JSON.stringify({ ...rest, missing, lost }, null, 2))
const isFound = missing === 0 && lost.missing === 1 && lost.samples[0] === lost.messageId
const areReportsExact = reports.every(({ counted, report }) => counted === report)
if (!comparisons.every(isExact) || !areReportsExact || !isFound) process.exitCode = 1
