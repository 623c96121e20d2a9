/** A task of several processes, as it is deployed. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Wire } from '../../support/ingress/ingress.ts'
import { settings, start, TaskLog } from '../../support/ingress/task.ts'

interface Task {
  child: ChildProcess
  log: TaskLog
  smtpPort: number
  health(): Promise<string>
}

async function startTask(environment: Record<string, string> = {}, program?: string): Promise<Task> {
  const child = start({ ...(await settings()), WORKERS: '2', ...environment }, program)
  const log = new TaskLog(child)
  const { smtpPort, healthPort, workers } = await log.next('listening')
  assert.equal(workers, 2)
  const health = async () => (await (await fetch(`http://127.0.0.1:${healthPort}/health`)).text()).trim()
  return { child, log, smtpPort: Number(smtpPort), health }
}

/** Of a process's children, as the kernel lists them. */
function workersOf({ child: { pid } }: Task): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return listed.trim().split(' ').filter(Boolean).map(Number)
}

async function untilEnded(pid: number): Promise<void> {
  for (;;)
    try {
      process.kill(pid, 0)
      await delay(20)
    } catch {
      return
    }
}

/** The sum of a metric over all lines, or those of one reason. */
function total({ log }: Task, metric: string, reason?: string): number {
  const lines = log.lines.filter((line) => reason === undefined || line.reason === reason)
  return lines.reduce((sum, line) => sum + (typeof line[metric] === 'number' ? line[metric] : 0), 0)
}

async function inData(port: number): Promise<Wire> {
  const wire = await Wire.greet(port)
  await wire.startTls()
  await wire.command('MAIL FROM:<a@elsewhere.example>')
  await wire.command('RCPT TO:<b@ours.example>')
  assert.match(await wire.command('DATA'), /^354 /)
  wire.write('Subject: slow\r\n\r\nfirst line\r\n')
  return wire
}

test('workers share the port, sessions are spread, and what all counted is written', async () => {
  const task = await startTask()
  assert.equal(workersOf(task).length, 2)
  const wires = await Promise.all(Array.from({ length: 6 }, () => Wire.greet(task.smtpPort)))
  const [first = 0, second = 0] = workersOf(task).map((pid) => connectionsOf(pid, task.smtpPort))
  assert.equal(first + second, 6)
  assert.ok(Math.min(first, second) >= 1, `${first} and ${second} sessions`)
  for (const reply of await Promise.all(wires.map((wire) => wire.send('Subject: x\r\n'))))
    assert.match(reply, /^250 /)
  assert.equal(await task.health(), 'ok')
  task.child.kill('SIGTERM')
  assert.deepEqual(await once(task.child, 'close'), [0, null])
  assert.equal(total(task, 'MessagesAccepted'), 6)
  assert.equal(task.log.lines.filter(({ message }) => message === 'accepted').length, 6)
})

/** Established connections to a port among the sockets that a process holds. */
function connectionsOf(pid: number, port: number): number {
  const held = new Set(socketsOf(pid))
  const established = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local, , state]) => state === '01' && Number.parseInt(local?.split(':')[1] ?? '', 16) === port,
    )
  return established.filter((fields) => held.has(fields[9] ?? '')).length
}

function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1] ?? []
    } catch {
      return []
    }
  })
}

test('new sessions of an address in a minute are counted over all workers, also of those that have ended', async () => {
  const task = await startTask({ MAX_CONNECTION_RATE_PER_ADDRESS: '3' })
  for (let session = 0; session < 3; session++) {
    const wire = await Wire.greet(task.smtpPort)
    assert.match(await wire.command('QUIT'), /^221 /)
    assert.equal(await wire.line(), null)
  }
  for (let session = 0; session < 2; session++) {
    const refused = await Wire.open(task.smtpPort)
    assert.match(await refused.reply(), /^421 4\.7\.0 Too many connections from your address a minute/)
  }
  task.child.kill('SIGTERM')
  await once(task.child, 'close')
  assert.equal(total(task, 'Refused', 'ConnectionRate'), 2)
})

test('the bundle that is deployed starts workers of itself', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mailflow-bundle-'))
  try {
    const bundle = join(directory, 'smtp-ingress.mjs')
    execFileSync('npm', ['run', 'build:ingress', '--', `--outfile=${bundle}`], { stdio: 'ignore' })
    const task = await startTask({}, bundle)
    assert.equal(workersOf(task).length, 2)
    assert.match(await (await Wire.greet(task.smtpPort)).send('Subject: x\r\n'), /^250 /)
    task.child.kill('SIGTERM')
    assert.deepEqual(await once(task.child, 'close'), [0, null])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a worker that is killed takes its own sessions with it and no others, and is started anew', async () => {
  const task = await startTask({ MAX_CONNECTIONS_PER_ADDRESS: '4' })
  const wires = await Promise.all(Array.from({ length: 4 }, () => Wire.greet(task.smtpPort)))
  const beyond = await Wire.open(task.smtpPort)
  assert.match(await beyond.reply(), /^421 4\.7\.0 Too many connections/)
  beyond.destroy()
  const [victim = 0, other = 0] = workersOf(task)
  const connections = (pid: number) => connectionsOf(pid, task.smtpPort)
  // Until the one that was sent away has gone.
  while (connections(victim) + connections(other) > 4) await delay(10)
  const lost = connections(victim)
  assert.ok(lost > 0 && lost < 4, `${lost} sessions`)
  process.kill(victim, 'SIGKILL')
  const ended = await task.log.next('worker ended')
  assert.deepEqual([ended.pid, ended.ended, ended.sessions], [victim, 'SIGKILL', lost])
  const replies = await Promise.all(wires.map((wire) => wire.send('Subject: x\r\n')))
  assert.equal(replies.filter((reply) => reply === '').length, lost)
  assert.equal(replies.filter((reply) => reply.startsWith('250 ')).length, 4 - lost)
  const more = await Promise.all(Array.from({ length: lost }, () => Wire.greet(task.smtpPort)))
  for (const wire of more) assert.match(await wire.send('Subject: y\r\n'), /^250 /)
  assert.match(await (await Wire.open(task.smtpPort)).reply(), /^421 4\.7\.0 Too many connections/)
  const again = await task.log.next('worker listens again')
  assert.equal(await task.health(), 'ok')
  assert.deepEqual(workersOf(task).sort(), [other, Number(again.pid)].sort())
})

test('on SIGTERM idle sessions hear 421, a message is taken to its end, and what hangs is cut in time', async () => {
  const task = await startTask({ DRAIN_SECONDS: '3' })
  const idle = await Wire.greet(task.smtpPort)
  const amidMessage = await inData(task.smtpPort)
  const shaking = await Wire.greet(task.smtpPort)
  assert.match(await shaking.command('STARTTLS'), /^220 /)
  const began = performance.now()
  task.child.kill('SIGTERM')
  assert.match(await idle.reply(), /^421 4\.3\.2 Service shutting down/)
  assert.equal(await idle.line(), null)
  assert.equal(await task.health(), 'draining')
  await untilNobodyListens(task.smtpPort)
  assert.match(await amidMessage.command('.'), /^250 2\.0\.0 Ok: queued as /)
  assert.match(await amidMessage.reply(), /^421 4\.3\.2 /)
  assert.equal(await shaking.line(), null)
  assert.deepEqual(await once(task.child, 'close'), [0, null])
  const took = performance.now() - began
  assert.ok(took < 5000, `took ${took} ms`)
  assert.equal(total(task, 'MessagesAccepted'), 1)
})

/** The port closes when the last of the workers has said that it takes no more. */
async function untilNobodyListens(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const refused = await once(socket, 'connect').then(
      () => false,
      ({ code }) => code === 'ECONNREFUSED',
    )
    socket.destroy()
    if (refused) return
  }
}

test('workers whose supervisor is killed take what is in flight to its end, and end', async () => {
  const task = await startTask()
  const wires = [await inData(task.smtpPort), await inData(task.smtpPort)]
  const workers = workersOf(task)
  task.child.kill('SIGKILL')
  for (const wire of wires) assert.match(await wire.command('.'), /^250 2\.0\.0 /)
  for (const pid of workers) await untilEnded(pid)
})

const faults: [name: string, change: () => Promise<Record<string, string>>, line: RegExp][] = [
  [
    'a key that is none',
    async () => ({ TLS_PRIVATE_KEY: 'PRIVATE KEY' }),
    /^smtp-ingress cannot start: [^\n]*PEM[^\n]*\n$/,
  ],
  [
    'a port that is taken',
    async () => ({ SMTP_PORT: String(await takenPort()) }),
    /^smtp-ingress cannot start: [^\n]*EADDRINUSE[^\n]*\n$/,
  ],
  [
    'a port of health that is taken',
    async () => ({ HEALTH_PORT: String(await takenPort()) }),
    /^smtp-ingress cannot start: [^\n]*EADDRINUSE[^\n]*\n$/,
  ],
  [
    'too little memory for two',
    async () => ({ MEMORY_MIB: '256', MAX_CONNECTIONS: '1000' }),
    /^smtp-ingress cannot start: 256 MiB of memory are not enough for 1000 sessions in 2 processes\n$/,
  ],
]

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

for (const [name, change, line] of faults)
  test(`with ${name} the task says why in one line, leaves no worker, and exits with 1`, async () => {
    const child = start({ ...(await settings()), WORKERS: '2', ...(await change()) })
    let errors = ''
    child.stderr?.on('data', (text) => {
      errors += text
    })
    assert.deepEqual(await once(child, 'close'), [1, null])
    assert.match(errors, line)
  })
