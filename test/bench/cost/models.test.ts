/** The pure functions of the recording and of the cost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type HttpRequest, readCall, readSignature } from './aws-call.ts'
import { batchesAt } from './batch-model.ts'
import { BatchSums } from './call-statistics.ts'
import { differences } from './compare-recordings.ts'
import { interpolate } from './cost-model.ts'
import { indexWriteUnits, itemOctets, readUnits, writeUnits } from './item-size.ts'
import { keyPattern } from './key-pattern.ts'
import { metricsIn } from './log-metrics.ts'
import { OptionError, parseNumber, parseRoute, parseSize } from './options.ts'
import { type Call, readRecording } from './recording.ts'

describe('keyPattern', () => {
  const rows: [key: string, pattern: string][] = [
    ['01KC0000000000000000000000', '<id>'],
    ['recipient#ann@ours.example', 'recipient#<address>'],
    ['attempt#canary+01KC0000000000000000000000@mail.example.com#00001', 'attempt#<address>#<number>'],
    ['rate#0f8fad5b-d9cb-469f-a165-70867728950e', 'rate#<id>'],
    ['standing#partner-1.example', 'standing#<host>'],
    ['destination#mx.partner.example:25', 'destination#<host>'],
    ['sessions#2026-11-30#7', 'sessions#<date>#<number>'],
    ['segments/01KC0000000000000000000000', 'segments/<id>'],
    ['a3/01KC0000000000000000000000', '<hash>/<id>'],
    ['version', 'version'],
    ['outbound-connector', 'outbound-connector'],
    ['inbound-connector', 'inbound-connector'],
    ['certificates', 'certificates'],
  ]
  for (const [key, pattern] of rows)
    test(`of ${key} is ${pattern}`, () => assert.equal(keyPattern(key), pattern))
})

describe('the units of DynamoDB', () => {
  test('count names and values of an item', () => {
    const item = {
      pk: { S: 'abc' },
      n: { N: '-1200' },
      b: { B: 'AAAA' },
      f: { BOOL: true },
      l: { L: [{ S: 'xy' }] },
    }
    // pk 2 + 3, n 1 + (1 digit pair + 1 + sign), b 1 + 3, f 1 + 1, l 1 + 3 + (1 + 2)
    assert.equal(itemOctets(item), 5 + 4 + 4 + 2 + 7)
  })
  test('are one for each KiB of a write, twice in a transaction', () => {
    assert.deepEqual(
      [writeUnits(0), writeUnits(1024), writeUnits(1025), writeUnits(1025, true)],
      [1, 1, 2, 4],
    )
  })
  test('are one for each 4 KiB of a read, half for an eventual one', () => {
    assert.deepEqual(
      [readUnits(0, 'Eventual'), readUnits(4097, 'Strong'), readUnits(1, 'Transaction')],
      [0.5, 2, 2],
    )
  })
  const index = { name: 'byTime', keys: ['bucket', 'order'], projected: ['sender'] }
  const item = {
    pk: { S: 'a' },
    sk: { S: 'b' },
    bucket: { S: 'x' },
    order: { S: '1' },
    sender: { S: 's' },
    state: { S: 'Pending' },
  }
  const rows: [name: string, before: typeof item | null, after: object | null, units: number][] = [
    ['none when only other attributes change', item, { ...item, state: { S: 'Delivered' } }, 0],
    ['one for a new entry', null, item, 1],
    ['one when a projected attribute changes', item, { ...item, sender: { S: 't' } }, 1],
    ['two when the key changes', item, { ...item, order: { S: '2' } }, 2],
    ['one for a removed entry', item, null, 1],
    ['none without the keys of the index', null, { pk: { S: 'a' }, sk: { S: 'b' } }, 0],
  ]
  for (const [name, before, after, units] of rows)
    test(`of an index are ${name}`, () =>
      assert.equal(indexWriteUnits(index, before, after as typeof item | null), units))
})

const request = (changes: Partial<HttpRequest> & { target?: string; json?: object }): HttpRequest => ({
  method: 'POST',
  url: '/',
  headers: changes.target === undefined ? {} : { 'x-amz-target': changes.target },
  body: Buffer.from(JSON.stringify(changes.json ?? {})),
  bodyOctets: 0,
  ...changes,
})
const response = (json: object = {}) => ({
  status: 200,
  body: Buffer.from(JSON.stringify(json)),
  bodyOctets: 7,
})

describe('readCall', () => {
  test('reads a consistent read of an item', () => {
    const json = {
      TableName: 'ConnectorsTableFA80EE66',
      Key: { pk: { S: 'version' }, sk: { S: 'current' } },
      ConsistentRead: true,
    }
    const { parts } = readCall('dynamodb', request({ target: 'DynamoDB_20120810.GetItem', json }), response())
    const [part] = parts
    assert.deepEqual(
      [part?.operation, part?.resource, part?.key, part?.units],
      ['GetItem (consistent)', 'ConnectorsTable', 'version current', 1],
    )
  })
  test('reads both writes of a transaction', () => {
    const write = { TableName: 'T', Key: { pk: { S: 'a' }, sk: { S: 'b' } } }
    const json = { TransactItems: [{ Update: write }, { Delete: write }] }
    const { writes } = readCall(
      'dynamodb',
      request({ target: 'DynamoDB_20120810.TransactWriteItems', json }),
      response(),
    )
    assert.deepEqual(
      writes.map(({ operation, isTransaction }) => [operation, isTransaction]),
      [
        ['TransactUpdate', true],
        ['TransactDelete', true],
      ],
    )
  })
  test('bills a batch of messages for each 64 KiB', () => {
    const message = { MessageBody: 'x'.repeat(40_000) }
    const json = {
      QueueUrl: 'http://127.0.0.1/000000000000/QueuesBounceQueue01234567',
      Entries: [message, message],
    }
    const [part] = readCall('sqs', request({ target: 'AmazonSQS.SendMessageBatch', json }), response()).parts
    assert.deepEqual([part?.resource, part?.entries, part?.units], ['QueuesBounceQueue', 2, 2])
  })
  test('counts the octets that an object has', () => {
    const get = request({
      method: 'GET',
      url: '/bucket01234567/segments/01KC0000000000000000000000?x-id=GetObject',
    })
    const [part] = readCall('s3', get, response()).parts
    assert.deepEqual([part?.operation, part?.key, part?.octets], ['GetObject', 'segments/<id>', 7])
  })
  test('reads the caller of a request from its signature', () => {
    const authorization =
      'AWS4-HMAC-SHA256 Credential=Unit/20261130/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0'
    assert.deepEqual(readSignature({ authorization, 'x-amz-security-token': 'token' }), {
      accessKey: 'Unit',
      service: 'sqs',
      sessionToken: 'token',
    })
    assert.equal(readSignature({}), null)
  })
})

describe('BatchSums', () => {
  const sumsOf = (...rows: [messages: number, value: number][]) => {
    const sums = new BatchSums()
    for (const [messages, value] of rows) sums.add(messages, new Map([['x', value]]))
    return sums.line('x')
  }
  test('separates what a batch needs from what its messages need', () => {
    const { perBatch, perMessage } = sumsOf([1, 5], [3, 9], [10, 23])
    assert.ok(Math.abs(perBatch - 3) < 1e-9 && Math.abs(perMessage - 2) < 1e-9)
  })
  test('counts for messages only when all batches have one size', () =>
    assert.deepEqual(sumsOf([2, 6], [2, 6]), { perBatch: 0, perMessage: 3 }))
  test('gives no negative amount', () =>
    assert.deepEqual(sumsOf([1, 4], [10, 2]), { perBatch: 3, perMessage: 0 }))
})

describe('batchesAt', () => {
  const source = { queue: 'Q', batchSize: 10, windowSeconds: 0, maximumConcurrency: 50 }
  const recorded = { cpuMs: { perBatch: 0, perMessage: 0 }, waitMs: { perBatch: 100, perMessage: 0 } }
  const rows: [name: string, rate: number, changes: object, jobs: number, isSufficient: boolean][] = [
    ['one job at a low rate', 1, {}, 1, true],
    ['as many as five pollers collect in the window', 20, { windowSeconds: 1 }, 5, true],
    ['a full batch when the window has more', 1000, { windowSeconds: 1 }, 10, true],
    ['more jobs when all invocations are busy', 1000, {}, 2, true],
    ['a full batch when the maximum does not suffice', 10_000, {}, 10, false],
  ]
  for (const [name, rate, changes, jobs, isSufficient] of rows)
    test(`takes ${name}`, () => {
      const batches = batchesAt(rate, { ...source, ...changes }, recorded, 1769)
      assert.deepEqual([batches.jobs, batches.isSufficient], [jobs, isSufficient])
    })
  test('bills the processor time by the share of a processor', () => {
    const cpu = { cpuMs: { perBatch: 0, perMessage: 10 }, waitMs: { perBatch: 0, perMessage: 0 } }
    assert.ok(Math.abs(batchesAt(1, source, cpu, 1769 / 4).durationMs - 40) < 1e-9)
  })
})

test('interpolate takes the nearest rates', () => {
  const rates = [
    { messagesPerSecond: 10, putsPerMessage: 1, sendsPerMessage: 1, cpuMsPerMessage: 1 },
    { messagesPerSecond: 30, putsPerMessage: 0.5, sendsPerMessage: 1, cpuMsPerMessage: 1 },
  ]
  const values = [1, 20, 99].map((rate) => interpolate({ rates }, rate, 'putsPerMessage'))
  assert.deepEqual(values, [1, 0.75, 0.5])
})

describe('differences', () => {
  const recording = readRecording('smart-host')
  const withCalls = (calls: Call[]) => ({ ...recording, calls })
  const call = recording.calls.find(
    ({ operation, perMessage }) => operation === 'UpdateItem' && perMessage.units >= 1,
  )
  assert.ok(call)
  test('are none between a recording and itself', () =>
    assert.deepEqual(differences(recording, recording), []))
  test('name a new call', () => {
    const added = { ...call, key: 'new key' }
    assert.match(differences(recording, withCalls([...recording.calls, added])).join(), /^new: .* new key/)
  })
  test('name a missing call', () => {
    const others = recording.calls.filter((each) => each !== call)
    assert.match(differences(recording, withCalls(others)).join(), /^missing: /)
  })
  test('name a call that is made more often', () => {
    const twice = { ...call, perMessage: { ...call.perMessage, units: call.perMessage.units * 2 } }
    const calls = recording.calls.map((each) => (each === call ? twice : each))
    assert.match(differences(recording, withCalls(calls)).join(), /^changed: /)
  })
})

test('metricsIn finds a metric for each set of dimensions', () => {
  const entry = {
    _aws: { CloudWatchMetrics: [{ Metrics: [{ Name: 'M' }], Dimensions: [['a'], ['a', 'b']] }] },
    a: 1,
    b: 2,
  }
  const metrics = metricsIn([['unit', `text\n${JSON.stringify(entry)}\n`]])
  assert.deepEqual(
    metrics.map(({ dimensions }) => dimensions),
    ['a=1', 'a=1, b=2'],
  )
})

describe('options', () => {
  test('take sizes, numbers and routes', () => {
    assert.deepEqual(
      [parseSize('--size', '50k'), parseNumber('--rate', '20.5', 1, 100), parseRoute('--route', 'mx')],
      [50_000, 20.5, 'mx'],
    )
  })
  const rows: [() => unknown, RegExp][] = [
    [() => parseSize('--size', 'big'), /^--size big: not a size/],
    [() => parseSize('--size', '10'), /^--size 10: a message has 500/],
    [() => parseNumber('--rate', '0', 1, 10), /^--rate 0: not a number from 1 to 10/],
    [() => parseNumber('--rate', '1e9', 1, 10), /^--rate 1e9/],
    [() => parseRoute('--route', 'pigeon'), /^--route pigeon: not one of smart-host, mx/],
  ]
  for (const [parse, message] of rows)
    test(`reject with ${message}`, () =>
      assert.throws(parse, (error) => error instanceof OptionError && message.test(error.message)))
})
