/**
 * Compares dry runs with what really happens, with the whole stack on this machine:
 *
 *   npm run test:dry-run -- [--messages N] [--changes N] [--seed N]
 */
import { parseArgs } from 'node:util'
import { runProof } from './proof.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000' },
    changes: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
  },
})
const { rows, differences, ...rest } = await runProof({
  messages: Number(values.messages),
  changes: Number(values.changes),
  seed: Number(values.seed),
  print: (line) => console.log(line),
})
console.table(rows)
console.log(JSON.stringify(rest, null, 2))
for (const difference of differences.slice(0, 20)) console.log(difference)
if (differences.length > 0) process.exitCode = 1
