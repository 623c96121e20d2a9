/**
 * Shows that the rollups are exact: simulates messages in all modes of the pipeline's simulation, with their faults,
 * and compares the sums of the rollups with what clients and next hops counted.
 *
 *   npm run simulate:events -- [--messages N]
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { ExactnessCheck, isExact } from './exactness.ts'
import { simulateInWorker } from './simulate-in-worker.ts'

const { values } = parseArgs({ options: { messages: { type: 'string', default: '100000' } } })
const messages = Number(values.messages)
const startedAt = performance.now()
const check = new ExactnessCheck(1)
const step = availableParallelism()
let simulated = 0
let adding = Promise.resolve()
await Promise.all(
  Array.from({ length: step }, (_, first) =>
    simulateInWorker({ first, step, messages }, (run) => {
      adding = adding.then(() => check.add(run))
      for (const line of run.broken.slice(0, 2)) process.stderr.write(`${line}\n`)
      if (++simulated % 10_000 === 0) process.stderr.write(`${simulated} messages\n`)
      return adding
    }),
  ),
)
const { broken, comparisons, missing, lost, found, ...rest } = await check.result()
for (const line of broken) console.log(line)
console.table(comparisons.map((each) => ({ ...each, exact: isExact(each) })))
console.log(JSON.stringify({ messages, ...rest, missing, lost, found }, null, 2))
console.log(`${((performance.now() - startedAt) / 1000).toFixed(0)} seconds`)
const isFound = missing === 0 && lost.join() === found.join()
if (broken.length > 0 || !comparisons.every(isExact) || !isFound) process.exitCode = 1
