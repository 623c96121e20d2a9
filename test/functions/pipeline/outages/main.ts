/**
 * Prints what outages of AWS do to mail: `npm run simulate:outages -- --rate 100`. The rate is in messages per second.
 * From ten on, one simulated message stands for ten, with a tenth of the capacities (simulate.ts).
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { concurrencyLimiter } from '../../../../shared/limits/concurrency-limiter.ts'
import { scenarios } from './schedule.ts'
import { simulateInWorker } from './simulate-in-worker.ts'
import { tableHead, tableRow } from './table.ts'

await printTable()

async function printTable(): Promise<void> {
  const { values } = parseArgs({ options: { rate: { type: 'string', default: '100' } } })
  const rate = Number(values.rate)
  if (!(rate > 0)) throw new Error('--rate must be a number of messages per second above 0')
  const load = { rate, scale: rate >= 10 ? 10 : 1, burst: 1 }
  const limiter = concurrencyLimiter(availableParallelism())
  const results = scenarios.map((outages) => limiter(() => simulateInWorker([{ outages, load }])))
  const startedAt = performance.now()
  console.log(`${rate} messages per second, from 10 minutes before the outages to 10 minutes after.\n`)
  console.log(tableHead())
  for (const [index, outages] of scenarios.entries()) {
    const [result] = (await results[index]) ?? []
    if (result === undefined) throw new Error('a simulation has no result')
    console.log(tableRow(outages, result))
    for (const violation of result.violations.slice(0, 10)) console.error(`  ${violation}`)
    if (result.violations.length > 0) process.exitCode = 1
  }
  console.log(`\n${((performance.now() - startedAt) / 1000).toFixed(0)} seconds`)
}
