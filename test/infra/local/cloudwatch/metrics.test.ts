/** Tests how the local runner reads, stores and samples metrics. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readEmbeddedMetrics } from '../../../../infra/local/cloudwatch/embedded-metrics.ts'
import { type MetricId, MetricStore, minuteMs } from '../../../../infra/local/cloudwatch/metric-store.ts'
import { queueMetric } from '../../../../infra/local/cloudwatch/queue-metrics.ts'

const metric: MetricId = { namespace: 'mailflow', name: 'Refused', dimensions: { stack: 'Mailflow' } }

describe('the store of metrics', () => {
  const store = new MetricStore()
  for (const [minute, value] of [
    [10, 4],
    [10, 1],
    [12, 7],
    [13, 100],
  ] as const)
    store.add(metric, value, minute * minuteMs + 59_999)

  test('returns each statistic of a range of minutes', () => {
    const statistics = ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum'] as const
    assert.deepEqual(
      statistics.map((statistic) => store.read(metric, statistic, 10, 12)),
      [3, 12, 4, 1, 7],
    )
  })
  test('has no value for minutes without one, nor for other dimensions', () => {
    assert.equal(store.read(metric, 'Sum', 11, 11), null)
    assert.equal(store.read({ ...metric, dimensions: {} }, 'Sum', 10, 13), null)
  })
  test('finds a metric with its dimensions in any order', () => {
    const both = { ...metric, dimensions: { service: 'a', stack: 'b' } }
    store.add(both, 1, 0)
    assert.equal(store.read({ ...metric, dimensions: { stack: 'b', service: 'a' } }, 'Sum', 0, 0), 1)
  })
  test('forgets earlier minutes', () => {
    store.dropBefore(13)
    assert.equal(store.read(metric, 'Sum', 0, 13), 100)
  })
})

describe('a line in the embedded metric format', () => {
  const lineOf = (members: object, dimensions = [['stack']]) =>
    JSON.stringify({
      _aws: {
        Timestamp: 5,
        CloudWatchMetrics: [
          { Namespace: 'mailflow', Dimensions: dimensions, Metrics: [{ Name: 'Refused', Unit: 'Count' }] },
        ],
      },
      stack: 'Mailflow',
      ...members,
    })
  const cases: [name: string, line: string, values: [dimensions: object, value: number][]][] = [
    ['with a value', lineOf({ Refused: 2 }), [[{ stack: 'Mailflow' }, 2]]],
    [
      'with several values',
      lineOf({ Refused: [2, 3] }),
      [
        [{ stack: 'Mailflow' }, 2],
        [{ stack: 'Mailflow' }, 3],
      ],
    ],
    [
      'with two sets of dimensions',
      lineOf({ Refused: 2, reason: 'Rate' }, [['stack'], ['stack', 'reason']]),
      [
        [{ stack: 'Mailflow' }, 2],
        [{ stack: 'Mailflow', reason: 'Rate' }, 2],
      ],
    ],
    ['without the value', lineOf({}), []],
    ['cut in the middle', lineOf({ Refused: 2 }).slice(0, -2), []],
    ['of another format', '{"_aws":"no","message":"text"}', []],
  ]
  for (const [name, line, values] of cases)
    test(`${name} has ${values.length} values`, () => {
      assert.deepEqual(
        readEmbeddedMetrics(line),
        values.map(([dimensions, value]) => ({ metric: { ...metric, dimensions }, value, at: 5 })),
      )
    })
})

describe('the metrics of a queue', () => {
  const message = (sentTimestamp: number, approximateReceiveCount = 1) => ({
    sentTimestamp,
    approximateReceiveCount,
  })
  const jobs = { ready: [message(40_000), message(10_000, 4)], inflight: [{ message: message(30_500) }] }
  const inspect = (name: string) => {
    if (name === 'Jobs') return { messages: jobs }
    return name === 'Empty' ? { messages: { ready: [], inflight: [] } } : undefined
  }
  const cases: [namespace: string, name: string, queue: string, value: number | null][] = [
    ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'Jobs', 2],
    ['AWS/SQS', 'ApproximateAgeOfOldestMessage', 'Jobs', 19],
    ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'Empty', 0],
    ['AWS/SQS', 'ApproximateAgeOfOldestMessage', 'Empty', 0],
    ['AWS/SQS', 'ApproximateAgeOfOldestMessage', 'Unknown', null],
    ['AWS/SQS', 'SentMessageSize', 'Jobs', null],
    ['AWS/Lambda', 'ApproximateAgeOfOldestMessage', 'Jobs', null],
  ]
  for (const [namespace, name, QueueName, value] of cases)
    test(`${namespace} ${name} of ${QueueName} is ${value}`, () => {
      assert.equal(queueMetric({ namespace, name, dimensions: { QueueName } }, inspect, 50_000), value)
    })
})
