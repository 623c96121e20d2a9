import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { Measurement } from './measure.ts'
import { type Cell, parseOptions } from './peers-options.ts'
import { medianRateRatio } from './peers-ratios.ts'
import { report } from './peers-report.ts'
import { processorSeconds, processTree, proportionalSetSize } from './process-tree.ts'
import { addTallies } from './tally.ts'

test('parseOptions without a flag selects every default server and every kind of load', () => {
  const { cells, servers, rounds, duration, generators, resume } = parseOptions([])
  assert.deepEqual(servers, ['mailflow', 'postfix', 'haraka', 'haraka-2', 'bare'])
  assert.equal(new Set(cells.map((cell) => JSON.stringify(cell))).size, 16)
  assert.deepEqual(
    { rounds, duration, generators, resume },
    { rounds: 3, duration: 5000, generators: 1, resume: false },
  )
})

test('--only of bench:peers selects by its words the loads and servers', () => {
  const { cells, servers } = parseOptions([
    '--only',
    'postfix-hold,50',
    '--only',
    'tls',
    '--connections',
    '10,20',
  ])
  assert.deepEqual(servers, ['postfix-hold'])
  const results = cells.map(({ kilobytes, mode, isSecure, connections }) => [
    kilobytes,
    mode,
    isSecure,
    connections,
  ])
  assert.deepEqual(results, [
    [50, 'Persistent', true, 10],
    [50, 'Persistent', true, 20],
    [50, 'Connection', true, 10],
    [50, 'Connection', true, 20],
  ])
})

const invalidArguments: [string[], RegExp][] = [
  [['--only', 'sendmail'], /^--only: sendmail is none of mailflow, /],
  [['--rounds', '0'], /^--rounds: 0 is no whole number from 1/],
  [['--seconds', '1.5'], /^--seconds: 1\.5 is no whole number/],
  [['--connections', '400,'], /^--connections: {2}is no whole number/],
  [['--connections', '1', '--generators', '2'], /^--connections: 1 are fewer than --generators 2/],
  [['--concurrency', '4'], /--concurrency/],
]
for (const [args, expected] of invalidArguments)
  test(`parseOptions throws for ${args.join(' ')}`, () => {
    assert.throws(
      () => parseOptions(args),
      ({ message }: Error) => expected.test(message),
    )
  })

const measured = (part: Partial<Measurement>): Measurement => ({
  perSecond: 100,
  p50: 10,
  p99: 20,
  processor: 0.5,
  storageProcessor: 0,
  memory: 0,
  generator: 0.5,
  errors: new Map(),
  queuedAtEnd: 0,
  queuedAfter: 0,
  tls: null,
  handshakes: 0,
  resumed: 0,
  ...part,
})
const cell: Cell = { kilobytes: 4, mode: 'Connection', isSecure: true, connections: 7 }

test('the report of bench:peers has medians, range, memory and the errors of all rounds, and ratios within each round', () => {
  const refused = new Map([['Content: 451 4.3.1 full', 2]])
  const mailflowRounds = [
    measured({ perSecond: 100, errors: refused }),
    measured({ perSecond: 200, errors: refused }),
    measured({ perSecond: 900, p50: 12 }),
  ]
  const postfixRounds = [100, 50, 300].map((perSecond) =>
    measured({ perSecond, queuedAtEnd: perSecond, generator: 0.97 }),
  )
  const text = report([
    {
      cell,
      rounds: new Map([
        ['mailflow', mailflowRounds],
        ['postfix', postfixRounds],
      ]),
      memory: new Map([['mailflow', 3 * 2 ** 20]]),
    },
  ])
  const lines = text.split('\n')
  assert.equal(lines[0], '### 4 KB, a connection for each message, TLS, 7 sessions')
  const row = '| mailflow | 200 | 100–900 | 10.0 ms | 20.0 ms | 0.500 | 3 MiB | 50 % | 4 |'
  assert.ok(lines.includes(row), text)
  assert.ok(lines.includes('mailflow, errors: 4 × Content: 451 4.3.1 full.'), text)
  assert.match(text, /Postfix: up to 300 messages in its queue when a load ended, 0 after waiting/)
  assert.match(text, /Postfix: the load generator was the limit in a round, busy 97 %/)
  assert.match(text, /\| messages\/s \| mailflow \/ Postfix \|\n.*\n\| 4 KB,[^|]* \| 3\.00 \|/)
})

test('--before of bench:peers selects only mailflow, of both checkouts', () => {
  const {
    servers,
    otherCheckout: before,
    minRatio,
  } = parseOptions(['--before', '/elsewhere', '--only', '4,tls'])
  assert.deepEqual([servers, before, minRatio], [['mailflow', 'mailflow-before'], '/elsewhere', 0.95])
  assert.throws(() => parseOptions(['--before', '/elsewhere', '--min-ratio', 'much']), /--min-ratio: much/)
})

test('medianRateRatio is the median of the ratios in all rounds of all kinds of load', () => {
  const at = (own: number[], other: number[]) => ({
    cell,
    rounds: new Map([
      ['mailflow' as const, own.map((perSecond) => measured({ perSecond }))],
      ['mailflow-before' as const, other.map((perSecond) => measured({ perSecond }))],
    ]),
    memory: new Map(),
  })
  const results = [at([90, 100, 300], [100, 100, 100]), at([80], [100])]
  assert.equal(medianRateRatio(results, 'mailflow', 'mailflow-before'), 0.95)
  assert.equal(medianRateRatio([], 'mailflow', 'mailflow-before'), Number.NaN)
})

test('the report of bench:peers also compares the servers, each with the number of sessions at which its rate is highest', () => {
  const at = (connections: number, own: number, other: number) => ({
    cell: { ...cell, connections },
    rounds: new Map([
      ['mailflow' as const, [measured({ perSecond: own })]],
      ['postfix' as const, [measured({ perSecond: other })]],
    ]),
    memory: new Map(),
  })
  const text = report([at(50, 100, 60), at(400, 300, 40)])
  const best = text.split('### Each server with the number of sessions at which its rate is highest')[1] ?? ''
  assert.match(best, /mailflow 300\/s with 400; Postfix 60\/s with 50/)
  assert.match(best, /\| 4 KB, a connection for each message, TLS \| 5\.00 \|/)
  assert.doesNotMatch(report([at(50, 100, 60)]), /rate is highest/)
})

test('the report of bench:peers has dashes for a server that accepted no message', () => {
  const emptyResult = measured({
    perSecond: 0,
    p50: Number.NaN,
    p99: Number.NaN,
    processor: Number.POSITIVE_INFINITY,
  })
  const text = report([{ cell, rounds: new Map([['bare', [emptyResult]]]), memory: new Map() }])
  assert.match(text, /\| bare smtp-server \| 0 \| 0–0 \| – ms \| – ms \| – \| – MiB \|/)
  assert.match(text, /messages\/s: nothing to compare\./)
})

test('addTallies adds the counts, times and errors of two generators', () => {
  const tally = (count: number) => ({
    count,
    total: count + 1,
    times: Float64Array.of(count),
    errors: new Map([['same', count]]),
    handshakes: 1,
    resumed: 0,
    tls: count === 1 ? null : 'TLSv1.3',
  })
  assert.deepEqual(addTallies([tally(1), tally(2)]), {
    count: 3,
    total: 5,
    times: Float64Array.of(1, 2),
    errors: new Map([['same', 3]]),
    handshakes: 2,
    resumed: 0,
    tls: 'TLSv1.3',
  })
})

/** A program that works for this time, and then prints the microseconds of its processor time. */
const busy = (milliseconds: number) => `
  const { user } = process.cpuUsage()
  while (process.cpuUsage().user - user < ${milliseconds * 1000});
  console.log(process.cpuUsage().user + process.cpuUsage().system)`

test('processorSeconds includes running and ended children; proportionalSetSize includes running children', async (t) => {
  const program = `
    const { spawn, spawnSync } = require('node:child_process')
    const ended = spawnSync(process.execPath, ['-e', ${JSON.stringify(busy(150))}])
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${busy(150)}; process.stdin.resume()`)}])
    child.stdout.on('data', (living) => {
      const { user, system } = process.cpuUsage()
      console.log(Number(ended.stdout) + Number(living) + user + system)
    })
    process.stdin.resume().on('end', () => child.kill())`
  const alone = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log("up")'])
  const parent = spawn(process.execPath, ['-e', program])
  t.after(() => [alone, parent].map((child) => child.stdin.end()))
  const [, [ownMicroseconds]] = await Promise.all([once(alone.stdout, 'data'), once(parent.stdout, 'data')])
  const [alonePid, parentPid] = [alone, parent].map(({ pid = 0 }) => pid) as [number, number]
  assert.equal(processTree(parentPid).length, 2)
  const ratio = processorSeconds(parentPid) / (Number(ownMicroseconds) / 1e6)
  assert.ok(ratio > 0.8 && ratio < 2, `${ratio} times the sum that the processes measured`)
  assert.ok(proportionalSetSize(parentPid) > 1.3 * proportionalSetSize(alonePid))
})

test('processorSeconds and proportionalSetSize return 0 for an ended process', () => {
  const { pid } = spawnSync(process.execPath, ['-e', '0'])
  assert.deepEqual([processorSeconds(pid), proportionalSetSize(pid)], [0, 0])
})
