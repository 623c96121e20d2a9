/**
 * Prints what outages of AWS do to mail: `npm run simulate:outages -- --rate 100`. The rate is in messages per second.
 * From ten on, one simulated message stands for ten, with a tenth of the capacities (simulate.ts).
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { concurrencyLimiter } from '../../../../shared/limits/concurrency-limiter.ts'
import { scenarios } from './schedule.ts'
import { type Load, type Result, simulate } from './simulate.ts'
import { tableHead, tableRow } from './table.ts'

interface Task {
  index: number
  load: Load
}

if (workerData === null) await printTable()
else {
  const { index, load } = workerData as Task
  parentPort?.postMessage(await simulate(scenarios[index] ?? [], load))
}

async function printTable(): Promise<void> {
  const { values } = parseArgs({ options: { rate: { type: 'string', default: '100' } } })
  const rate = Number(values.rate)
  if (!(rate > 0)) throw new Error('--rate must be a number of messages per second above 0')
  const load = { rate, scale: rate >= 10 ? 10 : 1, burst: 1 }
  const limiter = concurrencyLimiter(availableParallelism())
  const results = scenarios.map((_, index) => limiter(() => simulateInWorker({ index, load })))
  const startedAt = performance.now()
  console.log(`${rate} messages per second, from 10 minutes before the outages to 10 minutes after.\n`)
  console.log(tableHead())
  for (const [index, outages] of scenarios.entries()) {
    const result = (await results[index]) as Result
    console.log(tableRow(outages, result))
    for (const violation of result.violations.slice(0, 10)) console.error(`  ${violation}`)
    if (result.violations.length > 0) process.exitCode = 1
  }
  console.log(`\n${((performance.now() - startedAt) / 1000).toFixed(0)} seconds`)
}

function simulateInWorker(task: Task): Promise<Result> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}
