/**
 * `npm start`: the synthesised stack on this machine. Prints one `mailflow ready {…}` line when everything
 * listens. SIGINT, SIGTERM and SIGHUP stop it; SIGUSR2 kills every Lambda worker in the middle of its batch.
 */
import { runDemo } from './demo/demo.ts'
import { startDemoWorld } from './demo/partners.ts'
import { emptyZone, readZone, type Zone } from './dns/zone.ts'
import { help, type Options, parseOptions } from './options.ts'
import { type OpenWorld, type Runner, startRunner, type World } from './runner.ts'
import { causeOf } from './start-error.ts'

const notify = (message: string) => process.stderr.write(`mailflow: ${message}\n`)
const interruption = new AbortController()
const interrupted = interruption.signal
/** Milliseconds in which terminal, shell and npm may each have passed on the one signal that was meant. */
const oneSignal = 500

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'Help') process.stdout.write(help)
  else await run(options)
} catch (error) {
  if (error === interrupted.reason) process.exit(0)
  // What is being stopped may fail; the stop itself ends the process.
  if (!interrupted.aborted) {
    notify(causeOf(error))
    process.exit(1)
  }
}

async function run(options: Options): Promise<void> {
  heedSignals()
  heedNpm()
  const own = options.zoneFile === null ? emptyZone : readZone(options.zoneFile)
  if (!options.demo)
    return void (await start(options, async () => ({ zone: own, close: async () => undefined })))
  const runner = await start(options, async (authority) => {
    const world = await startDemoWorld(authority)
    return { ...world, zone: overlay(world.zone, own) }
  })
  process.stdout.write(await runDemo(runner.endpoints, runner.authority))
}

async function start<W extends World>(options: Options, openWorld: OpenWorld<W>): Promise<Runner<W>> {
  const runner = await startRunner(options, openWorld, notify, interrupted)
  interrupted.addEventListener('abort', () => void runner.stop().then(() => process.exit(0)))
  process.on('SIGUSR2', () => notify(`SIGUSR2: killed ${runner.crashWorkers()} Lambda workers`))
  process.stdout.write(`mailflow ready ${JSON.stringify(runner.endpoints)}\n`)
  return runner
}

/** What the user's own zone says of a name or an address counts. */
function overlay(below: Zone, above: Zone): Zone {
  return { names: { ...below.names, ...above.names }, ports: { ...below.ports, ...above.ports } }
}

function interrupt(cause: string): void {
  if (interrupted.aborted) return
  notify(`${cause}: finishing what is under way`)
  interruption.abort(new Error(cause))
}

/** A second signal does not wait. */
function heedSignals(): void {
  let first = Number.POSITIVE_INFINITY
  const heed = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (now - first > oneSignal) process.exit(1)
    first = Math.min(first, now)
    interrupt(signal)
  }
  process.on('SIGINT', heed).on('SIGTERM', heed).on('SIGHUP', heed)
  // A terminal that is gone takes no more lines, which is no reason to leave things half done.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** Where npm's shell does not pass its signals on, our parent's end is all that we see of them. */
function heedNpm(): void {
  if (process.env.npm_lifecycle_event !== 'start') return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    interrupt('npm has ended')
  }, 250)
  watch.unref()
}
