/**
 * Several processes that take mail at one port, and the one that watches over them. This one accepts connections and
 * gives them to the workers in turn (node:cluster), so that a few long sessions are spread as evenly as many short
 * ones, and what waits to be accepted outlives a worker: docs/decisions/0016-workers.md has the measurements.
 */
import cluster, { type Worker } from 'node:cluster'
import type { Readable } from 'node:stream'
import type { z } from 'zod'
import type { IngressEnvironment } from '../../../shared/contract/environment.ts'
import { admissionLimits, SessionCounts } from '../limits/admission.ts'
import { causeOf, logTo } from '../log.ts'
import { healthServer } from './health.ts'
import type { FromWorker } from './messages.ts'
import { listen, metricsEveryMs } from './oversight.ts'
import { Supervisor, type WorkerProcess } from './supervisor.ts'

/**
 * Starts as many workers as the environment says, and resolves when all of them listen.
 * @param stoppable is told what to drain, before there is a worker
 * @throws Error when the port of health cannot be listened on, or a worker cannot start
 */
export async function supervise(
  environment: z.output<typeof IngressEnvironment>,
  write: (line: string) => void,
  stoppable: (running: { drain(): Promise<void> }) => void,
): Promise<void> {
  const log = logTo(write)
  cluster.schedulingPolicy = cluster.SCHED_RR
  // The workers' lines go through this process, whole: of several that write to one pipe, each could cut another's.
  cluster.setupPrimary({ exec: process.argv[1] ?? '', args: process.argv.slice(2), silent: true })
  const supervisor = new Supervisor({
    workers: environment.WORKERS,
    admission: new SessionCounts(admissionLimits(environment)),
    drainMs: environment.DRAIN_SECONDS * 1000,
    fork: () => processOf(cluster.fork(), write),
    write,
    log,
    now: () => new Date(),
  })
  stoppable(supervisor)
  const health = healthServer(() => supervisor.fault())
  const healthPort = await listen(health, environment.HEALTH_PORT, environment.LISTEN_ADDRESS)
  const smtpPort = await supervisor.start()
  setInterval(
    () =>
      void supervisor
        .writeMetrics()
        .catch((error) => log('error', 'metrics failed', { cause: causeOf(error) })),
    metricsEveryMs,
  )
  log('info', 'listening', { smtpPort, healthPort, workers: environment.WORKERS })
}

function processOf({ process: child }: Worker, write: (line: string) => void): WorkerProcess {
  if (child.stdout) passLines(child.stdout, write)
  child.stderr?.pipe(process.stderr, { end: false })
  return {
    pid: child.pid,
    send: (messages, done) => void child.send([...messages], done),
    onMessages: (take) => void child.on('message', (messages) => take(messages as FromWorker[])),
    onExit(take) {
      // Not at `exit`: what the worker last said may still be on its way.
      child.once('close', (code, signal) => take(signal ?? `code ${code}`))
      child.on('error', (error) => {
        if (child.pid === undefined) take(causeOf(error))
      })
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

/** Octets of a line without an end that are kept until it comes. */
const longestLine = 1024 * 1024

function passLines(stream: Readable, write: (lines: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    rest += text
    const end = rest.length > longestLine ? rest.length : rest.lastIndexOf('\n') + 1
    if (end === 0) return
    write(rest.slice(0, end))
    rest = rest.slice(end)
  })
  stream.on('end', () => {
    if (rest !== '') write(`${rest}\n`)
  })
}
