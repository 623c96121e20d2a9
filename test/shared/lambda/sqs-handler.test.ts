import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import type { Context, SQSRecord } from 'aws-lambda'
import * as z from 'zod'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { createEvent } from '../../../shared/events/create-event.ts'
import { type SqsHandlerOptions, sqsHandler } from '../../../shared/lambda/sqs-handler.ts'
import { failedIds, sqsEvent, sqsRecord } from '../../support/lambda.ts'

const Job = z.object({ n: z.int() })

/** A source that records which records were delayed, and which moved to the dead letters. */
function recordingSource() {
  const delayed: string[] = []
  const deadLetters: [string, string][] = []
  return {
    delayed,
    deadLetters,
    async delay(records: readonly SQSRecord[]) {
      delayed.push(...records.map(({ messageId }) => messageId))
      return []
    },
    async sendToDeadLetters({ messageId }: SQSRecord, reason: string) {
      deadLetters.push([messageId, reason])
    },
  }
}

const handlerWith = (options: Partial<SqsHandlerOptions<typeof Job, string>>) =>
  sqsHandler({ job: Job, unit: 'test', source: recordingSource(), process: async () => {}, ...options })

/** Returns the JSON lines written while the task ran; the test runner's output passes. */
async function linesOf(task: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = []
  const streams = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write }))
  for (const { stream, write } of streams)
    stream.write = ((chunk: unknown, ...rest: []) => {
      if (typeof chunk !== 'string' || !chunk.startsWith('{'))
        return write.call(stream, chunk as string, ...rest)
      return lines.push(...chunk.split('\n').filter(Boolean)) > 0
    }) as typeof write
  try {
    await task()
  } finally {
    for (const { stream, write } of streams) stream.write = write
  }
  return lines
}

/** Timers fire in the order of their due times: a longer one ends after every shorter one that began before it. */
const laterThanAnyTimer = () => new Promise((resolve) => setTimeout(resolve, 20))

describe('a handler of queue jobs', () => {
  const rows = [
    { name: 'nothing when every job is done', bodies: ['{"n":1}', '{"n":2}'], failed: [] },
    { name: 'no record with an unknown field', bodies: ['{"n":1,"extra":1}'], failed: [] },
    {
      name: 'only a record that requires an unknown feature',
      bodies: ['{"n":1,"requires":["later"]}', '{"n":2}'],
      failed: ['m0'],
    },
    { name: 'only the record whose job failed', bodies: ['{"n":1}', '{"n":13}', '{"n":2}'], failed: ['m1'] },
    { name: 'all records when all jobs fail', bodies: ['{"n":13}', '{"n":13}'], failed: ['m0', 'm1'] },
  ]
  for (const { name, bodies, failed } of rows) {
    test(`reports as failed, and delays: ${name}`, async () => {
      const processedJobs: number[] = []
      const source = recordingSource()
      const handler = handlerWith({
        source,
        async process({ n }) {
          if (n === 13) throw new Error('unlucky')
          processedJobs.push(n)
        },
      })
      await linesOf(async () => assert.deepEqual(await failedIds(handler, sqsEvent(...bodies)), failed))
      assert.equal(processedJobs.length, bodies.length - failed.length, 'every other job is done')
      assert.deepEqual(source.delayed, failed)
      assert.deepEqual(source.deadLetters, [])
    })
  }

  test('moves an unreadable record to the dead letters with its faults, and reports no record as failed', async () => {
    const source = recordingSource()
    const event = sqsEvent('{"n":1}', '{"n":', '{"n":"one"}')
    await linesOf(async () => assert.deepEqual(await failedIds(handlerWith({ source }), event), []))
    const faults = 'The record is not a job of this queue: '
    assert.deepEqual(source.deadLetters, [
      ['m1', `${faults}body (invalid_type)`],
      ['m2', `${faults}n (invalid_type)`],
    ])
  })

  test('reports an unreadable record as failed while the dead-letter queue does not accept it', async () => {
    const source = {
      ...recordingSource(),
      sendToDeadLetters: () => Promise.reject(new Error('the queue is away')),
    }
    await linesOf(async () =>
      assert.deepEqual(await failedIds(handlerWith({ source }), sqsEvent('{"n":', '{"n":1}')), ['m0']),
    )
    assert.deepEqual(source.delayed, ['m0'])
  })

  test('reports the whole batch as failed and processes nothing when beforeBatch rejects', async () => {
    let processed = 0
    const source = recordingSource()
    const handler = handlerWith({
      source,
      beforeBatch: () => Promise.reject(new Error('no rules')),
      process: async () => {
        processed += 1
      },
    })
    await linesOf(async () =>
      assert.deepEqual(await failedIds(handler, sqsEvent('{"n":1}', '{"n":2}')), ['m0', 'm1']),
    )
    assert.equal(processed, 0)
    assert.deepEqual(source.delayed, ['m0', 'm1'])
  })

  test('calls afterBatch after the last record, and reports no further record as failed when afterBatch throws', async () => {
    const order: string[] = []
    const handler = handlerWith({
      beforeBatch: async () => 'the batch',
      process: async ({ n }) => {
        if (n === 13) throw new Error('unlucky')
        await laterThanAnyTimer()
        order.push(`record ${n}`)
      },
      afterBatch: async (batch) => {
        order.push(`end of ${batch}`)
        throw new Error('the end')
      },
    })
    const lines = await linesOf(async () =>
      assert.deepEqual(await failedIds(handler, sqsEvent('{"n":13}', '{"n":1}')), ['m0']),
    )
    assert.deepEqual(order, ['record 1', 'end of the batch'])
    assert.equal(lines.filter((line) => line.includes('The work at the end of a batch failed')).length, 1)
  })

  test('passes the result of beforeBatch to each job', async () => {
    const calls: unknown[] = []
    const handler = handlerWith({
      beforeBatch: async () => 'rules',
      process: async ({ n }, { batch }) => {
        calls.push([n, batch])
      },
    })
    await handler(sqsEvent('{"n":1}', '{"n":2}'))
    assert.deepEqual(calls, [
      [1, 'rules'],
      [2, 'rules'],
    ])
  })

  test('does not respond before its jobs have ended, even with 1 ms left of the invocation', async () => {
    let end = () => {}
    const handler = handlerWith({ process: () => new Promise((resolve) => (end = resolve)) })
    const context = { getRemainingTimeInMillis: () => 1 } as Context
    const response = handler(sqsEvent('{"n":1}'), context)
    const first = await Promise.race([
      response.then(() => 'response'),
      laterThanAnyTimer().then(() => 'waiting'),
    ])
    assert.equal(first, 'waiting')
    end()
    assert.deepEqual(await response, { batchItemFailures: [] })
  })

  test("logs the faults of an invalid record in one line, without the record's values", async () => {
    const lines = await linesOf(() => handlerWith({})(sqsEvent('{"n":"secret@bank.example"}')))
    assert.equal(lines.length, 1)
    assert.match(
      lines[0] ?? '',
      /"sqsMessageId":"m0".*n \(invalid_type\)|n \(invalid_type\).*"sqsMessageId":"m0"/,
    )
    assert.doesNotMatch(lines.join(''), /secret@bank/)
  })

  const receives = [
    { receives: [1, 6], failing: undefined },
    { receives: [1, 7, 30], failing: 2 },
  ]
  for (const { receives: each, failing } of receives)
    test(`counts ${failing ?? 'no'} failing jobs when failed records were received ${each.join(', ')} times`, async () => {
      const handler = handlerWith({ process: () => Promise.reject(new Error('unlucky')) })
      const Records = each.map((receives, index) =>
        sqsRecord({ messageId: `m${index}`, body: '{"n":1}', receives }),
      )
      const lines = await linesOf(() => handler({ Records }))
      const metrics = lines.map((line) => JSON.parse(line)).filter((line) => line._aws)
      assert.equal(metrics[0]?.JobsFailing, failing)
    })

  test('runs the jobs of a batch concurrently, at most ten at a time', async () => {
    let running = 0
    let max = 0
    const handler = handlerWith({
      async process() {
        max = Math.max(max, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
      },
    })
    await handler(sqsEvent(...Array.from({ length: 25 }, (_, n) => JSON.stringify({ n }))))
    assert.equal(max, 10)
  })

  test('writes the metrics of a batch once, also when a job failed', async () => {
    const lines = await linesOf(() =>
      handlerWith({
        async process({ n }, { metrics }) {
          metrics.addMetric('Verdicts', MetricUnit.Count, 1)
          if (n === 13) throw new Error('unlucky')
        },
      })(sqsEvent('{"n":1}', '{"n":13}')),
    )
    const metrics = lines.map((line) => JSON.parse(line)).filter((line) => line._aws)
    assert.equal(metrics.length, 1)
    assert.deepEqual(metrics[0].Verdicts, [1, 1])
    assert.equal(metrics[0]._aws.CloudWatchMetrics[0].Namespace, 'mailflow')
  })
})

describe('the events of a batch', () => {
  const event = (n: number): MailEvent =>
    createEvent('Accepted', [n], { at: '2026-01-15T12:00:00.000Z', messageId: String(n) })
  /** A queue that notes what happens, and fails the first sends. */
  function eventQueue(fails = 0) {
    const steps: string[] = []
    let failures = fails
    const events = {
      async send(sent: readonly MailEvent[]) {
        if (failures-- > 0) throw new Error('the queue is away')
        steps.push(`sent ${sent.map(({ messageId }) => messageId)}`)
      },
    }
    return { steps, events }
  }

  test('are sent together before the work that follows them, and those of that work afterwards', async () => {
    const { steps, events } = eventQueue()
    const handler = handlerWith({
      events,
      async process({ n }, { addEvent, afterEvents }) {
        addEvent(event(n))
        afterEvents(async () => {
          steps.push(`work ${n}`)
          if (n === 2) addEvent(event(20))
        })
      },
    })
    await linesOf(async () => assert.deepEqual(await failedIds(handler, sqsEvent('{"n":1}', '{"n":2}')), []))
    assert.deepEqual(steps, ['sent 1,2', 'work 1', 'work 2', 'sent 20'])
  })

  test('that cannot be sent are retried with their records, whose work does not begin', async () => {
    const { steps, events } = eventQueue(1)
    const source = recordingSource()
    const handler = handlerWith({
      source,
      events,
      async process({ n }, { addEvent, afterEvents }) {
        if (n === 1) addEvent(event(n))
        afterEvents(async () => void steps.push(`work ${n}`))
      },
    })
    await linesOf(async () =>
      assert.deepEqual(await failedIds(handler, sqsEvent('{"n":1}', '{"n":2}')), ['m0']),
    )
    assert.deepEqual([steps, source.delayed], [['work 2'], ['m0']])
  })

  test('of a record that failed are sent, and its work does not begin', async () => {
    const { steps, events } = eventQueue()
    const handler = handlerWith({
      events,
      async process({ n }, { addEvent, afterEvents }) {
        addEvent(event(n))
        afterEvents(async () => void steps.push('work'))
        throw new Error('another worker is busy')
      },
    })
    await linesOf(async () => assert.deepEqual(await failedIds(handler, sqsEvent('{"n":1}')), ['m0']))
    assert.deepEqual(steps, ['sent 1'])
  })

  test('were sent when the work fails, and the record is retried', async () => {
    const { steps, events } = eventQueue()
    const source = recordingSource()
    const handler = handlerWith({
      source,
      events,
      async process({ n }, { addEvent, afterEvents }) {
        addEvent(event(n))
        afterEvents(async () => {
          throw new Error('the queue is away')
        })
      },
    })
    await linesOf(async () => assert.deepEqual(await failedIds(handler, sqsEvent('{"n":1}')), ['m0']))
    assert.deepEqual([steps, source.delayed], [['sent 1'], ['m0']])
  })

  test('of a function without an events queue fail their record', async () => {
    const handler = handlerWith({ process: async ({ n }, { addEvent }) => addEvent(event(n)) })
    await linesOf(async () => assert.deepEqual(await failedIds(handler, sqsEvent('{"n":1}')), ['m0']))
  })
})
