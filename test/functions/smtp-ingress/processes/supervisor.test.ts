import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SessionCounts } from '../../../../functions/smtp-ingress/limits/admission.ts'
import type { FromSupervisor, FromWorker } from '../../../../functions/smtp-ingress/processes/messages.ts'
import { Supervisor, type WorkerProcess } from '../../../../functions/smtp-ingress/processes/supervisor.ts'

/** A worker that does what the test says. */
class ScriptedWorker implements WorkerProcess {
  readonly pid: number
  readonly heard: FromSupervisor[] = []
  isKilled = false
  /** As it answers to `ReportNow`; null is silence. */
  fares: { fault: string | null; connections: number } | null = { fault: null, connections: 0 }
  #take: (messages: readonly FromWorker[]) => void = () => {}
  #exit: (ended: string) => void = () => {}

  constructor(pid: number) {
    this.pid = pid
  }

  send(messages: readonly FromSupervisor[], done: (error: Error | null) => void): void {
    this.heard.push(...messages)
    done(null)
    for (const message of messages)
      if (message.kind === 'ReportNow' && this.fares)
        this.say({ kind: 'Report', request: message.request, counts: [], ...this.fares })
  }

  onMessages(take: (messages: readonly FromWorker[]) => void): void {
    this.#take = take
  }

  onExit(take: (ended: string) => void): void {
    this.#exit = take
  }

  kill(): void {
    this.isKilled = true
    this.end('SIGKILL')
  }

  say(...messages: FromWorker[]): void {
    this.#take(messages)
  }

  end(how: string): void {
    this.#exit(how)
  }

  /** What it heard of one kind. */
  told<Kind extends FromSupervisor['kind']>(kind: Kind) {
    return this.heard.filter(
      (message): message is Extract<FromSupervisor, { kind: Kind }> => message.kind === kind,
    )
  }
}

/** What is said in one turn of the event loop is heard in the next. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

function supervise(context: TestContext, limits: { workers?: number; sessions?: number } = {}) {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
  const { workers = 2, sessions = 100 } = limits
  const forked: ScriptedWorker[] = []
  const lines: string[] = []
  const logged: [message: string, fields: Record<string, unknown> | undefined][] = []
  let refused = 0
  let beforeRefusal = 0
  const supervisor = new Supervisor({
    workers,
    admission: new SessionCounts({ sessions, sessionsOfAddress: 3, rateOfAddress: 0 }),
    drainMs: 10_000,
    fork() {
      if (beforeRefusal > 0) beforeRefusal--
      else if (refused > 0) {
        refused--
        throw new Error('spawn ENOMEM')
      }
      const worker = new ScriptedWorker(100 + forked.length)
      forked.push(worker)
      return worker
    },
    write: (line) => void lines.push(line),
    log: (_level, message, fields) => void logged.push([message, fields]),
    now: () => new Date(),
  })
  const tick = async (ms: number) => {
    context.mock.timers.tick(ms)
    await turn()
  }
  const worker = (index: number) => {
    assert.ok(forked[index], `worker ${index} was never started`)
    return forked[index]
  }
  /** So many attempts to start a process fail, from the next on or after some. */
  const refuseForks = (count: number, after = 0) => {
    refused = count
    beforeRefusal = after
  }
  return { supervisor, forked, worker, lines, logged, tick, refuseForks }
}

type Supervised = ReturnType<typeof supervise>

async function startAll({ supervisor, forked }: Supervised): Promise<void> {
  const started = supervisor.start()
  for (const worker of forked) worker.say({ kind: 'Listening', smtpPort: 2525 })
  assert.equal(await started, 2525)
}

test('it has started when every worker listens', async (context) => {
  const { supervisor, worker, forked } = supervise(context)
  const started = supervisor.start()
  assert.equal(forked.length, 2)
  worker(0).say({ kind: 'Listening', smtpPort: 2525 })
  assert.equal(await supervisor.fault(), 'starting')
  worker(1).say({ kind: 'Listening', smtpPort: 2525 })
  assert.equal(await started, 2525)
  assert.equal(await supervisor.fault(), null)
})

test('a worker that cannot start ends all, with its cause', async (context) => {
  const { supervisor, worker } = supervise(context)
  const started = supervisor.start()
  worker(0).say({ kind: 'Listening', smtpPort: 2525 })
  worker(1).say({ kind: 'Unable', cause: 'the key fits no certificate' })
  worker(1).end('code 1')
  await assert.rejects(started, /^Error: the key fits no certificate$/)
  assert.equal(worker(0).isKilled, true)
})

test('a worker that dies without a word before it listens is named by how it ended', async (context) => {
  const { supervisor, worker } = supervise(context)
  const started = supervisor.start()
  worker(0).end('SIGSEGV')
  await assert.rejects(started, /^Error: a worker ended by SIGSEGV before it listened$/)
})

test('sessions are counted over all workers, and those of one that dies are free again', async (context) => {
  const supervised = supervise(context)
  const { worker } = supervised
  await startAll(supervised)
  const address = '192.0.2.1'
  worker(0).say({ kind: 'Admit', request: 1, address }, { kind: 'Admit', request: 2, address })
  worker(1).say({ kind: 'Admit', request: 1, address }, { kind: 'Admit', request: 2, address })
  await turn()
  const answers = (index: number) =>
    worker(index)
      .told('Admitted')
      .map(({ request, refused }) => [request, refused?.reason ?? null])
  assert.deepEqual(answers(0), [
    [1, null],
    [2, null],
  ])
  assert.deepEqual(answers(1), [
    [1, null],
    [2, 'TooManyConnections'],
  ])
  worker(0).end('SIGKILL')
  worker(1).say({ kind: 'Admit', request: 3, address }, { kind: 'Admit', request: 4, address })
  worker(1).say({ kind: 'Admit', request: 5, address })
  await turn()
  assert.deepEqual(answers(1).slice(2), [
    [3, null],
    [4, null],
    [5, 'TooManyConnections'],
  ])
})

test('a worker gives back no more than was admitted for it', async (context) => {
  const supervised = supervise(context, { sessions: 1 })
  const { worker } = supervised
  await startAll(supervised)
  worker(0).say({ kind: 'Admit', request: 1, address: '192.0.2.1' })
  worker(1).say(
    { kind: 'Release', address: '192.0.2.1' },
    { kind: 'Admit', request: 1, address: '192.0.2.2' },
  )
  await turn()
  assert.equal(worker(1).told('Admitted')[0]?.refused?.reason, 'TooManySessions')
})

test('what workers took from an address is told to the others', async (context) => {
  const supervised = supervise(context)
  const { worker } = supervised
  await startAll(supervised)
  worker(0).say({ kind: 'Took', request: 1, key: '192.0.2.1', minute: 1, taken: 7 })
  worker(1).say({ kind: 'Took', request: 9, key: '192.0.2.1', minute: 1, taken: 2 })
  await turn()
  assert.deepEqual(worker(1).told('OthersTook'), [
    { kind: 'OthersTook', request: 9, others: { taken: 7, counters: 1 } },
  ])
})

test('a worker that dies is started anew, later and later, and sooner again once one has settled', async (context) => {
  const supervised = supervise(context, { workers: 1 })
  const { forked, logged, tick, worker } = supervised
  await startAll(supervised)
  const pauses: number[] = []
  const dieAndReturn = async (index: number) => {
    worker(index).end('SIGSEGV')
    assert.equal(logged.at(-1)?.[0], 'worker ended')
    let pause = 0
    for (; forked.length === index + 1; pause += 50) await tick(50)
    pauses.push(pause)
    worker(index + 1).say({ kind: 'Listening', smtpPort: 2525 })
  }
  for (let index = 0; index < 9; index++) await dieAndReturn(index)
  await tick(60_000)
  await dieAndReturn(9)
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 100])
})

test('when the system starts no process it is asked again', async (context) => {
  const supervised = supervise(context, { workers: 1 })
  const { forked, logged, tick, worker, refuseForks } = supervised
  await startAll(supervised)
  worker(0).end('SIGKILL')
  refuseForks(1)
  await tick(100)
  assert.deepEqual(logged.at(-1), ['worker cannot be started', { cause: 'Error: spawn ENOMEM' }])
  await tick(200)
  assert.equal(forked.length, 2)
})

test('when the system starts no process at the start, all are ended', async (context) => {
  const { supervisor, worker, refuseForks } = supervise(context)
  refuseForks(1, 1)
  await assert.rejects(supervisor.start(), /^Error: spawn ENOMEM$/)
  assert.equal(worker(0).isKilled, true)
})

test('one that cannot start anew is tried again, and its cause is in the log', async (context) => {
  const supervised = supervise(context, { workers: 1 })
  const { forked, logged, tick, worker } = supervised
  await startAll(supervised)
  worker(0).end('SIGKILL')
  await tick(100)
  worker(1).say({ kind: 'Unable', cause: 'no space left on device' })
  worker(1).end('code 1')
  assert.equal(logged.at(-1)?.[1]?.cause, 'no space left on device')
  await tick(200)
  assert.equal(forked.length, 3)
})

const faults: [string, (supervised: Supervised) => unknown, string | null][] = [
  ['every worker is well', () => {}, null],
  [
    'one of them is not',
    ({ worker }) => {
      worker(1).fares = { fault: 'storage is failing', connections: 0 }
    },
    'storage is failing',
  ],
  ['one has died', ({ worker }) => worker(0).end('SIGKILL'), 'a worker is missing'],
  ['it drains', ({ supervisor }) => void supervisor.drain(), 'draining'],
]

for (const [when, happen, fault] of faults)
  test(`health is ${fault ?? 'ok'} when ${when}`, async (context) => {
    const supervised = supervise(context)
    await startAll(supervised)
    happen(supervised)
    assert.equal(await supervised.supervisor.fault(), fault)
  })

test('a worker that does not answer in two seconds is a fault, and who asks meanwhile asks no more of it', async (context) => {
  const supervised = supervise(context)
  const { supervisor, tick, worker } = supervised
  await startAll(supervised)
  worker(1).fares = null
  const asked = [supervisor.fault(), supervisor.fault(), supervisor.fault()]
  await tick(2000)
  const told = 'a worker does not answer'
  assert.deepEqual(await Promise.all(asked), [told, told, told])
  assert.equal(worker(1).told('ReportNow').length, 1)
  worker(1).fares = { fault: null, connections: 0 }
  assert.equal(await supervisor.fault(), null)
})

test('a worker that dies while it is asked keeps nobody waiting', async (context) => {
  const supervised = supervise(context)
  const { supervisor, worker } = supervised
  await startAll(supervised)
  worker(1).fares = null
  const asked = supervisor.fault()
  await turn()
  worker(1).end('SIGKILL')
  assert.equal(await asked, 'a worker does not answer')
})

const values = (lines: string[]) => lines.map((line) => JSON.parse(line))

test('metrics are one set of lines for all workers, connections their sum', async (context) => {
  const supervised = supervise(context)
  const { supervisor, worker, lines } = supervised
  await startAll(supervised)
  const refused = (count: number) => ({
    metric: 'Refused',
    dimension: ['reason', 'TooLarge'] as const,
    count,
  })
  const report = { kind: 'Report', request: null, fault: null } as const
  worker(0).say({ ...report, connections: 3, counts: [refused(2)] })
  worker(1).say({ ...report, connections: 4, counts: [refused(5)] })
  worker(0).fares = { fault: null, connections: 10 }
  worker(1).fares = { fault: null, connections: 20 }
  await supervisor.writeMetrics()
  const [gauges, counts, ...others] = values(lines)
  assert.deepEqual([gauges.Connections, counts.reason, counts.Refused, others.length], [30, 'TooLarge', 7, 0])
  worker(0).end('SIGKILL')
  lines.length = 0
  await supervisor.writeMetrics()
  assert.deepEqual([values(lines)[0].Connections, values(lines)[0].WorkersEnded], [20, 1])
})

test('it drains: workers are told, what they last counted is written, and none is started anew', async (context) => {
  const supervised = supervise(context)
  const { supervisor, worker, forked, lines, tick } = supervised
  await startAll(supervised)
  const drained = supervisor.drain()
  await turn()
  assert.deepEqual(
    [0, 1].map((index) => worker(index).told('Drain').length),
    [1, 1],
  )
  const counts = [{ metric: 'StorageFailures', dimension: null, count: 1 }]
  for (const one of forked) {
    one.say({ kind: 'Report', request: null, fault: 'draining', connections: 0, counts })
    one.end('code 0')
  }
  await drained
  assert.deepEqual([values(lines)[0].Connections, values(lines)[0].StorageFailures], [0, 2])
  await tick(100_000)
  assert.equal(forked.length, 2)
})

test('workers that do not end in time are ended', async (context) => {
  const supervised = supervise(context)
  const { supervisor, worker, tick } = supervised
  await startAll(supervised)
  const drained = supervisor.drain()
  worker(0).end('code 0')
  await tick(11_999)
  assert.equal(worker(1).isKilled, false)
  await tick(1)
  assert.equal(worker(1).isKilled, true)
  await drained
})

test('who asks again for a drain waits for the same', async (context) => {
  const supervised = supervise(context)
  const { supervisor, forked } = supervised
  await startAll(supervised)
  let isOver = false
  const first = supervisor.drain()
  const second = supervisor.drain().then(() => {
    isOver = true
  })
  await turn()
  assert.equal(isOver, false)
  for (const worker of forked) worker.end('code 0')
  await Promise.all([first, second])
})

test('a worker that dies before its restart is due is not started any more when the task drains', async (context) => {
  const supervised = supervise(context)
  const { supervisor, worker, forked, tick } = supervised
  await startAll(supervised)
  for (const index of [0, 1]) worker(index).end('SIGKILL')
  await supervisor.drain()
  await tick(100_000)
  assert.equal(forked.length, 2)
})

test('a task that is stopped while it starts ends its workers at once', async (context) => {
  const { supervisor, worker } = supervise(context)
  void supervisor.start()
  worker(0).say({ kind: 'Listening', smtpPort: 2525 })
  const drained = supervisor.drain()
  await turn()
  assert.equal(worker(1).isKilled, true)
  assert.equal(worker(0).told('Drain').length, 1)
  worker(0).end('code 0')
  await drained
})
