/** What outages of AWS do to mail. `npm run simulate:outages` runs the scenarios at a higher rate. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeOutages, furtherScenarios, marginMinutes, type Outage, scenarios } from './schedule.ts'
import type { Result } from './simulate.ts'
import { simulateInWorker, type Task } from './simulate-in-worker.ts'

/** Eight messages each ten minutes: outages begin and end at these minutes. */
const load = { rate: 8 / 600, scale: 1, burst: 8 }

const throttling = (minutes: number): Outage[] => [
  { service: 'SES', kind: 'throttles', start: marginMinutes, minutes },
]
const throttledBriefly: Task = { outages: throttling(20), load: { rate: 10, scale: 5, burst: 1 } }
const throttledLong: Task = { outages: throttling(6 * 60), load }

const tasks = [...scenarios, ...furtherScenarios].map((outages): Task => ({ outages, load }))
const results = simulateInWorker([...tasks, throttledBriefly, throttledLong])

async function resultOf(task: Task): Promise<Result> {
  const index = [...tasks, throttledBriefly, throttledLong].indexOf(task)
  return (await results)[index] ?? assert.fail('no result')
}

/**
 * Copies of one message that are permitted: those in transmission when DynamoDB and SQS fail together, because then
 * nothing can take the result.
 */
const maxRepeated = (outages: readonly Outage[]): number =>
  ['DynamoDB', 'SQS'].every((service) =>
    outages.some((outage) => outage.service === service && outage.start === marginMinutes),
  )
    ? load.burst
    : 0

describe('during outages of AWS all mail is delivered once, or returned for its own reason, and there are no dead letters', () => {
  for (const task of tasks)
    it(describeOutages(task.outages), async () => {
      const result = await resultOf(task)
      const { violations, submitted, accepted, delivered, returned, deadLetters, repeated } = result
      assert.deepEqual(violations, [])
      assert.deepEqual(
        { accepted, settled: delivered + returned, deadLetters },
        { accepted: submitted, settled: submitted, deadLetters: 0 },
      )
      assert.ok(repeated <= maxRepeated(task.outages), `${repeated} copies are repeated`)
    })
})

describe('while Amazon SES throttles every request', () => {
  it('mail to MX hosts, which has the same workers, waits less than a minute', async () => {
    const { violations, mxMinutes } = await resultOf(throttledBriefly)
    assert.deepEqual(violations, [])
    assert.ok(mxMinutes.max < 1, `${mxMinutes.max} minutes`)
  })

  it('the senders of mail that waits for more than four hours get delay DSNs', async () => {
    const { violations, delayDsns } = await resultOf(throttledLong)
    assert.deepEqual(violations, [])
    assert.ok(delayDsns > 0)
  })
})
