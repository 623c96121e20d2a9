/**
 * `npm start`: runs the synthesised stack on this machine. Prints one `mailflow ready {…}` line when every server
 * listens. SIGINT, SIGTERM and SIGHUP stop the runner; SIGUSR2 kills every Lambda worker that runs an invocation.
 */
import { runDemo } from './demo/demo.ts'
import { startDemoPartners } from './demo/partners.ts'
import { emptyZone, readZone, type Zone } from './dns/zone.ts'
import { help, type Options, parseOptions } from './options.ts'
import { type PartnerNetwork, type Runner, type StartPartners, startRunner } from './runner.ts'
import { firstErrorLine } from './start-error.ts'

const notify = (message: string) => process.stderr.write(`mailflow: ${message}\n`)
const interruption = new AbortController()
const interrupted = interruption.signal
/** In this period, terminal, shell and npm may each forward the same signal: it counts as one. */
const sameSignalMs = 500

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'Help') process.stdout.write(help)
  else await run(options)
} catch (error) {
  if (error === interrupted.reason) process.exit(0)
  // Errors during a stop are expected; the stop ends the process.
  if (!interrupted.aborted) {
    notify(firstErrorLine(error))
    process.exit(1)
  }
}

async function run(options: Options): Promise<void> {
  handleSignals()
  watchNpm()
  const userZone = options.zoneFile === null ? emptyZone : readZone(options.zoneFile)
  if (!options.demo)
    return void (await start(options, async () => ({ zone: userZone, close: async () => undefined })))
  const runner = await start(options, async (authority) => {
    const network = await startDemoPartners(authority)
    return { ...network, zone: mergeZones(network.zone, userZone) }
  })
  process.stdout.write(await runDemo(runner.endpoints, runner.authority, runner.network.bankServer))
}

async function start<W extends PartnerNetwork>(
  options: Options,
  startPartners: StartPartners<W>,
): Promise<Runner<W>> {
  const runner = await startRunner(options, startPartners, notify, interrupted)
  interrupted.addEventListener('abort', () => void runner.stop().then(() => process.exit(0)))
  process.on('SIGUSR2', () => notify(`SIGUSR2: killed ${runner.crashWorkers()} running Lambda workers`))
  process.stdout.write(`mailflow ready ${JSON.stringify(runner.endpoints)}\n`)
  return runner
}

/** The user's zone has precedence. */
function mergeZones(demoZone: Zone, userZone: Zone): Zone {
  return { names: { ...demoZone.names, ...userZone.names }, ports: { ...demoZone.ports, ...userZone.ports } }
}

function interrupt(cause: string): void {
  if (interrupted.aborted) return
  notify(`${cause}: stopping, waiting for running work to finish`)
  interruption.abort(new Error(cause))
}

/** Stops at a signal; a second signal exits immediately. */
function handleSignals(): void {
  let firstSignalAt = Number.POSITIVE_INFINITY
  const handle = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (now - firstSignalAt > sameSignalMs) process.exit(1)
    firstSignalAt = Math.min(firstSignalAt, now)
    interrupt(signal)
  }
  process.on('SIGINT', handle).on('SIGTERM', handle).on('SIGHUP', handle)
  // A closed terminal must not interrupt the stop.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** Watches the parent process: some shells of npm do not forward signals. */
function watchNpm(): void {
  if (process.env.npm_lifecycle_event !== 'start') return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    interrupt('npm exited')
  }, 250)
  watch.unref()
}
