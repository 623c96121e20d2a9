/**
 * `npm start`: the synthesised stack on this machine. Prints one `mailflow ready {…}` line when everything
 * listens. SIGINT and SIGTERM stop it; SIGUSR2 kills every Lambda worker in the middle of its batch.
 */
import { runDemo } from './demo/demo.ts'
import { startWorld, type World } from './demo/partners.ts'
import { readZone, type Zone } from './dns/zone.ts'
import { type Options, parseOptions } from './options.ts'
import { type Runner, startRunner } from './runner.ts'
import { causeOf } from './start-error.ts'

const notify = (message: string) => process.stderr.write(`mailflow: ${message}\n`)

try {
  await run(parseOptions(process.argv.slice(2)))
} catch (error) {
  notify(causeOf(error))
  process.exit(1)
}

async function run(options: Options): Promise<void> {
  const own = options.zoneFile === null ? { names: {}, ports: {} } : readZone(options.zoneFile)
  let world: World | null = null
  const runner = await startRunner(
    options,
    async (authority) => {
      if (options.demo) world = await startWorld(authority)
      return withDemo(own, world)
    },
    notify,
  )
  stopOnSignals(runner)
  process.on('SIGUSR2', () => notify(`SIGUSR2: killed ${runner.crashWorkers()} Lambda workers`))
  process.stdout.write(`mailflow ready ${JSON.stringify(runner.endpoints)}\n`)
  if (world !== null) process.stdout.write(await runDemo(runner.endpoints, runner.authority, world))
}

/** What the user's own zone says of a name or an address counts. */
function withDemo(own: Zone, world: World | null): Zone {
  if (world === null) return own
  return { names: { ...world.zone.names, ...own.names }, ports: { ...world.zone.ports, ...own.ports } }
}

/** A second signal does not wait. */
function stopOnSignals(runner: Runner): void {
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
