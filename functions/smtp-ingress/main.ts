/**
 * The process: reads its environment and takes mail, or watches over several processes of itself that do. On SIGTERM
 * what is in flight is finished.
 */
import cluster from 'node:cluster'
import { IngressEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { causeOf, lineWriter, logTo } from './log.ts'

const write = lineWriter((lines) => process.stdout.write(lines))
const log = logTo(write)
process.on('exit', write.flush)

/** What is loaded is what is run: who only watches needs no AWS clients, and no memory for them. */
async function start(): Promise<void> {
  const environment = readEnvironment(IngressEnvironment, process.env)
  if (environment.WORKERS === 1)
    stopOnSignal(
      await (await import('./processes/mail-process.ts')).takeMail({
        environment,
        write,
        addressCounts: null,
      }),
    )
  else if (cluster.isWorker)
    stopOnSignal(await (await import('./processes/worker.ts')).work(environment, write))
  else await (await import('./processes/supervise.ts')).supervise(environment, write, stopOnSignal)
}

/** State is held for each session, so a fault in one is no reason to end the others. */
function surviveFaults(): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) =>
      log('error', event, { cause: causeOf(error), stack: error instanceof Error ? error.stack : null }),
    )
}

function stopOnSignal(running: { drain(): Promise<void> }): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void running.drain().then(() => process.exit(0)))
}

// Mail does not wait for whoever reads the log, and does not end with them.
process.stdout.on('error', () => {})
try {
  await start()
  surviveFaults()
} catch (error) {
  process.stderr.write(`smtp-ingress cannot start: ${errorMessage(error)}\n`)
  process.exit(1)
}
