/**
 * `npm start`: the synthesised stack on this machine. Prints one `mailflow ready {…}` line when everything
 * listens. SIGINT and SIGTERM stop it; SIGUSR2 kills every Lambda worker in the middle of its batch.
 */
import { runDemo } from './demo/demo.ts'
import { startDemoWorld } from './demo/partners.ts'
import { emptyZone, readZone, type Zone } from './dns/zone.ts'
import { type Options, parseOptions } from './options.ts'
import { type OpenWorld, type Runner, startRunner, type World } from './runner.ts'
import { causeOf } from './start-error.ts'

const notify = (message: string) => process.stderr.write(`mailflow: ${message}\n`)

try {
  await run(parseOptions(process.argv.slice(2)))
} catch (error) {
  notify(causeOf(error))
  process.exit(1)
}

async function run(options: Options): Promise<void> {
  const own = options.zoneFile === null ? emptyZone : readZone(options.zoneFile)
  if (!options.demo)
    return void (await start(options, async () => ({ zone: own, close: async () => undefined })))
  const runner = await start(options, async (authority) => {
    const world = await startDemoWorld(authority)
    return { ...world, zone: overlay(world.zone, own) }
  })
  process.stdout.write(await runDemo(runner.endpoints, runner.authority, runner.world))
}

async function start<W extends World>(options: Options, openWorld: OpenWorld<W>): Promise<Runner<W>> {
  const runner = await startRunner(options, openWorld, notify)
  stopOnSignals(runner)
  process.on('SIGUSR2', () => notify(`SIGUSR2: killed ${runner.crashWorkers()} Lambda workers`))
  process.stdout.write(`mailflow ready ${JSON.stringify(runner.endpoints)}\n`)
  return runner
}

/** What the user's own zone says of a name or an address counts. */
function overlay(below: Zone, above: Zone): Zone {
  return { names: { ...below.names, ...above.names }, ports: { ...below.ports, ...above.ports } }
}

/** A second signal does not wait. */
function stopOnSignals(runner: Runner<World>): void {
  let stopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1)
    stopping = true
    notify(`${signal}: finishing what is under way`)
    await runner.stop()
    process.exit(0)
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
}
