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

/** The senders' name servers do not answer, so that the authentications take more time than there are workers for. */
const hanging: Task = {
  ...throttledBriefly,
  load: { rate: 10, scale: 5, burst: 1, authenticationMs: 25_000 },
}

const tasks = [...scenarios, ...furtherScenarios].map((outages): Task => ({ outages, load }))
const all = [...tasks, throttledBriefly, throttledLong, hanging]
const results = simulateInWorker(all)

async function resultOf(task: Task): Promise<Result> {
  const index = all.indexOf(task)
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

describe("while the name servers of other mail's senders do not answer", () => {
  it('mail of the organisation itself waits less than a minute', async () => {
    const { violations, ownMinutes, mxMinutes } = await resultOf(hanging)
    assert.deepEqual(violations, [])
    assert.ok(ownMinutes.max < 1, `${ownMinutes.max} minutes`)
    assert.ok(mxMinutes.max > 5, `other mail waits ${mxMinutes.max} minutes`)
  })
})
