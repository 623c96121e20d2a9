/**
 * `npm start`: the synthesised stack on this machine. Prints one `mailflow ready {…}` line when everything
 * listens. SIGINT and SIGTERM stop it; SIGUSR2 kills every Lambda worker in the middle of its batch.
 */
import { readZone } from './dns/zone.ts'
import { parseOptions } from './options.ts'
import { startRunner } from './runner.ts'
import { causeOf } from './start-error.ts'

const notify = (line: string) => process.stderr.write(`mailflow: ${line}\n`)

try {
  const options = parseOptions(process.argv.slice(2))
  const zone = options.zoneFile === null ? { names: {}, ports: {} } : readZone(options.zoneFile)
  const runner = await startRunner(options, zone, notify)
  process.once('SIGINT', stop).once('SIGTERM', stop)
  process.on('SIGUSR2', () => notify(`SIGUSR2: killed ${runner.crashWorkers()} Lambda workers`))
  process.stdout.write(`mailflow ready ${JSON.stringify(runner.endpoints)}\n`)

  async function stop() {
    process.once('SIGINT', () => process.exit(130))
    await runner.stop()
    process.exit(0)
  }
} catch (error) {
  notify(causeOf(error))
  process.exit(1)
}
