/**
 * The model of capacity: its functions by cases, and a summary of three rates by three routes, from the committed
 * recordings. To update the summary, run `node --test --test-update-snapshots test/bench/capacity/capacity.test.ts`.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  type Call,
  type Recording,
  readIdleRecording,
  readIngressRates,
  readRecording,
} from '../cost/recording.ts'
import { readStackFacts } from '../cost/stack-facts.ts'
import {
  type CapacityFacts,
  carriedRate,
  concurrencySetting,
  firstBottleneck,
  loadsAt,
  type ResourceLoad,
} from './capacity-model.ts'
import { limits } from './limits.ts'
import { describeLoad } from './report.ts'
import { settingsFor } from './settings-for.ts'

const idle = readIdleRecording()
const ingress = readIngressRates()
const stack = readStackFacts()

const base: Recording = { ...readRecording('smart-host'), calls: [], functions: [], logs: [], metrics: [] }
const once = { requests: 1, entries: 1, units: 1, octets: 100 }
const none = { requests: 0, entries: 0, units: 0, octets: 0 }
const call = (changes: Partial<Call>): Call => ({
  unit: 'evaluate-policy',
  service: 'dynamodb',
  operation: 'UpdateItem',
  resource: 'TransportTable',
  key: 'rate#<id> <time>',
  perBatch: none,
  perMessage: once,
  hottestShare: 0,
  ...changes,
})
const factsOf = (...calls: Call[]): CapacityFacts => ({ recording: { ...base, calls }, ingress, idle, stack })
const loadOf = (facts: CapacityFacts, messagesPerSecond: number, measure: RegExp): ResourceLoad | undefined =>
  loadsAt(facts, { messagesPerSecond, connectors: 10 }).find((load) => measure.test(load.measure))

describe('the load of a resource', () => {
  const rows: [name: string, call: Call, rate: number, measure: RegExp, load: number, percent: number][] = [
    ['of a table is its units', call({}), 2000, /^write units\/s on the first day/, 2000, 50],
    [
      'of a partition is its share',
      call({ hottestShare: 0.25 }),
      1000,
      /^write units\/s of its hottest/,
      250,
      25,
    ],
    [
      'of a partition that is read has another limit',
      call({ operation: 'GetItem', hottestShare: 1 }),
      1500,
      /^read units\/s of its hottest/,
      1500,
      50,
    ],
    [
      'of a prefix is its objects',
      call({
        service: 's3',
        operation: 'PutObject',
        resource: 'contentbucket',
        key: 'dsn/<id>',
        hottestShare: 1,
      }),
      350,
      /^PUT\/s/,
      350,
      10,
    ],
    [
      'of SES is its messages',
      call({ service: 'ses', operation: 'SendRawEmail', resource: 'ses', key: '' }),
      7,
      /^messages\/s$/,
      7,
      50,
    ],
    [
      'of EventBridge is its events',
      call({ service: 'events', operation: 'PutEvents', resource: 'events', key: '' }),
      100,
      /^events\/s$/,
      100,
      1,
    ],
  ]
  for (const [name, recorded, rate, measure, load, percent] of rows)
    test(name, () => {
      const found = loadOf(factsOf(recorded), rate, measure)
      assert.deepEqual([found?.load, found?.percent], [load, percent])
    })

  test('of a call that the ingress makes by time grows with its tasks only', () => {
    const timed = call({
      unit: 'smtp-ingress',
      operation: 'GetItem',
      key: 'version current',
      hottestShare: 1,
    })
    const [one, other] = [10, 100].map(
      (rate) => loadOf(factsOf(timed), rate, /^read units\/s of its hottest/)?.load,
    )
    assert.ok(one !== undefined && one > 0 && one === other)
  })
  test('of connectors grows with their number', () => {
    const facts = { ...factsOf(), recording: readRecording('smart-host') }
    const [few, many] = [1000, 100_000].map((connectors) =>
      loadsAt(facts, { messagesPerSecond: 100, connectors }).find(({ resource }) =>
        resource.includes('connectors'),
      ),
    )
    // Absent when the connectors are one object.
    if (few !== undefined) assert.ok((many?.load ?? 0) >= few.load)
  })
})

test('the first bottleneck is the largest share that AWS does not grant on request', () => {
  const loads = loadsAt(
    factsOf(call({}), call({ service: 'ses', operation: 'SendRawEmail', resource: 'ses' })),
    {
      messagesPerSecond: 100,
      connectors: 10,
    },
  )
  assert.equal(loads[0]?.resource, 'Amazon SES')
  assert.notEqual(firstBottleneck(loads)?.resource, 'Amazon SES')
})

test('the carried rate is where the first share reaches its limit', () => {
  const rate = carriedRate(factsOf(call({ hottestShare: 1 })), { connectors: 10 })
  assert.ok(Math.abs(rate - 1000) <= 5, String(rate))
})

describe('the settings for a rate', () => {
  const load = (changes: Partial<ResourceLoad>): ResourceLoad => ({
    resource: 'x',
    measure: 'concurrent invocations',
    load: 80,
    limit: 40,
    percent: 200,
    remedy: 'Setting',
    of: 'functions.deliver.concurrency',
    source: '',
    ...changes,
  })
  test('have room above the load', () =>
    assert.deepEqual(settingsFor([load({})]).settings, { functions: { deliver: { concurrency: 100 } } }))
  test('take the larger one of two loads', () =>
    assert.deepEqual(settingsFor([load({}), load({ load: 160 })]).settings, {
      functions: { deliver: { concurrency: 200 } },
    }))
  test('stay within the values that cdk.json permits', () => {
    const { settings, without } = settingsFor([load({ load: 5000 })])
    assert.deepEqual([settings, without.length], [{ functions: { deliver: { concurrency: 1000 } } }, 1])
  })
  test('are none below the limit or for what AWS grants', () =>
    assert.deepEqual(settingsFor([load({ percent: 99 }), load({ remedy: 'Request' })]), {
      settings: {},
      without: [],
    }))
  test('name what no setting carries', () =>
    assert.deepEqual(settingsFor([load({ remedy: 'Design', of: 'partition' })]).without.length, 1))
})

test('every queue of the stack has a setting for its concurrency, or none on purpose', () => {
  const queues = stack.functions.flatMap(({ sources }) => sources.map(({ queue }) => queue))
  assert.deepEqual(
    queues.filter((queue) => concurrencySetting(queue) === null),
    [],
  )
})

test('every limit names its source', () => {
  for (const { source } of Object.values(limits)) assert.match(source, /^https:\/\/docs\.aws\.amazon\.com\//)
})

const mxStack = readStackFacts({ defaultRoute: 'Mx' })
const connectors = 100

for (const route of ['smart-host', 'mx', 'ses'] as const) {
  const settings = route === 'mx' ? { defaultRoute: 'Mx' } : {}
  const facts = { recording: readRecording(route), ingress, idle, stack: route === 'mx' ? mxStack : stack }

  test(`the default settings carry 1,000 messages/s on the route ${route}`, () => {
    const bottleneck = firstBottleneck(loadsAt(facts, { messagesPerSecond: 1000, connectors }))
    assert.ok((bottleneck?.percent ?? 0) <= 100, bottleneck && describeLoad(bottleneck))
  })
  test(`the printed settings carry 10,000 messages/s on the route ${route}`, () => {
    const { settings: needed, without } = settingsFor(
      loadsAt(facts, { messagesPerSecond: 10_000, connectors }),
    )
    assert.deepEqual(without, [])
    const raised = { ...facts, stack: readStackFacts({ ...settings, ...needed }) }
    const bottleneck = firstBottleneck(loadsAt(raised, { messagesPerSecond: 10_000, connectors }))
    assert.ok((bottleneck?.percent ?? 0) <= 100, bottleneck && describeLoad(bottleneck))
  })
}

test('the loads at 100, 1,000 and 10,000 messages/s are those of summary.txt', (context) => {
  const stacks = { Ses: stack, Mx: mxStack }
  const parts = (['smart-host', 'mx', 'ses'] as const).flatMap((route) => {
    const recording = readRecording(route)
    const facts = { recording, ingress, idle, stack: stacks[route === 'mx' ? 'Mx' : 'Ses'] }
    return [
      `${route}: carries ${carriedRate(facts, { connectors: 100 })} messages/s`,
      ...[100, 1000, 10_000].flatMap((messagesPerSecond) => [
        `  at ${messagesPerSecond}/s`,
        ...loadsAt(facts, { messagesPerSecond, connectors: 100 })
          .slice(0, 6)
          .map(
            (load) => `    ${Math.round(load.percent)} % ${describeLoad(load)} (${load.remedy}: ${load.of})`,
          ),
      ]),
    ]
  })
  context.assert.fileSnapshot(`${parts.join('\n')}\n`, join(import.meta.dirname, 'summary.txt'), {
    serializers: [String],
  })
})
