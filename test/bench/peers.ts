/**
 * The ingress beside Postfix, Haraka and bare smtp-server, on this machine, in one run: `npm run bench:peers [-- FLAGS]`.
 * For each kind of load the servers are started anew, each has a run that does not count, and then they take turns.
 * Prints Markdown.
 */
import { selfSigned } from '../support/pki.ts'
import { Generators } from './generators.ts'
import { harakaVersion, requireHaraka, startHaraka } from './haraka.ts'
import { type Load, sampleMessage } from './load.ts'
import { disk, load as loadAverage, machine } from './machine.ts'
import { hostname, startBare, startIngress, startStorage } from './mailflow.ts'
import { type Measured, measure, type Server } from './measure.ts'
import { median } from './median.ts'
import { type Cell, type Options, parseOptions, type ServerName, usage } from './peers-options.ts'
import { type Results, report, titleOf } from './peers-report.ts'
import { postfixVersion, requirePostfix, startPostfix } from './postfix.ts'

/** Milliseconds. */
const [storageMs, leadIn] = [10, 1000]

const running: { stop(): Promise<void> }[] = []
const tell = (line: string) => console.error(line)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stopDownTo(0).finally(() => process.exit(1)))

try {
  console.log(await run(parseOptions(process.argv.slice(2))))
} catch (error) {
  tell(`bench:peers: ${error instanceof Error ? error.message : String(error)}`)
  if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) tell(usage)
  process.exitCode = 1
} finally {
  await stopDownTo(0)
}

async function run(options: Options): Promise<string> {
  const names = options.servers
  if (names.includes('postfix')) requirePostfix()
  if (names.some((name) => name.startsWith('haraka'))) await requireHaraka(tell)
  const loadBefore = loadAverage()
  const generators = started(new Generators(options.generators, options.profile && `${options.profile}/load`))
  const results: Results[] = []
  for (const cell of options.cells) results.push(await measureCell(cell, options, generators))
  return [conditions(options, results, loadBefore), report(results)].join('\n\n')
}

async function measureCell(cell: Cell, options: Options, generators: Generators): Promise<Results> {
  const before = running.length
  const servers = await startServers(cell, options)
  const memory = new Map<ServerName, number>()
  const rounds = new Map<ServerName, Measured[]>(servers.map(([name]) => [name, []]))
  const once = async (name: ServerName, server: Server, watchMemory = false) => {
    const measured = await measure(generators, server, loadOn(server, cell, options), watchMemory)
    memory.set(name, Math.max(memory.get(name) ?? 0, measured.memory))
    return measured
  }
  for (const [name, server] of servers) await once(name, server, true)
  for (let round = 0; round < options.rounds; round++)
    for (const [name, server] of turned(servers, round)) {
      const measured = await once(name, server)
      rounds.get(name)?.push(measured)
      tell(`${titleOf(cell)}, round ${round + 1}, ${name}: ${Math.round(measured.perSecond)}/s`)
    }
  await stopDownTo(before)
  return { cell, rounds, memory }
}

/** Each round another begins. */
function turned<T>(all: readonly T[], by: number): T[] {
  const first = by % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

function loadOn({ port }: Server, cell: Cell, { duration, group, resume }: Options): Load {
  return {
    port,
    connections: cell.connections,
    mode: cell.mode,
    group: cell.isSecure ? group : null,
    resume,
    message: sampleMessage(cell.kilobytes * 1024),
    leadIn,
    duration,
  }
}

async function startServers({ connections }: Cell, options: Options): Promise<[ServerName, Server][]> {
  const identity = await selfSigned({ names: [hostname] })
  const profile = options.profile && `${options.profile}/ingress`
  const ours = async (workers: number): Promise<Server> => {
    const storage = started(await startStorage(storageMs))
    const ingress = await startIngress({ identity, storage: storage.port, connections, workers, profile })
    return { ...ingress, storage }
  }
  const starts: Record<ServerName, () => Promise<Server>> = {
    mailflow: () => ours(1),
    'mailflow-2': () => ours(2),
    postfix: () => startPostfix(identity, connections, options.group),
    haraka: () => startHaraka(identity, 0),
    'haraka-2': () => startHaraka(identity, 2),
    bare: () => startBare(identity),
  }
  const servers: [ServerName, Server][] = []
  for (const name of options.servers) servers.push([name, started(await starts[name]())])
  return servers
}

function started<T extends { stop(): Promise<void> }>(program: T): T {
  running.push(program)
  return program
}

/** Those that were started last are stopped first, since some need others. */
async function stopDownTo(left: number): Promise<void> {
  for (const program of running.splice(left).reverse())
    await program.stop().catch((error: Error) => tell(`bench:peers: cannot stop a program: ${error.message}`))
}

function conditions(options: Options, results: readonly Results[], loadBefore: string): string {
  const all = results.flatMap(({ rounds }) => [...rounds.values()].flat())
  const ours = results.flatMap(({ rounds }) => [...rounds].filter(([name]) => name.startsWith('mailflow')))
  const storage = median(ours.flatMap(([, rounds]) => rounds.map((one) => one.storageProcessor)))
  const tls = [...new Set(all.map((one) => one.tls).filter((one) => one !== null))]
  const lines = [
    `${machine()}; ${new Date().toISOString().slice(0, 10)}; load average ${loadBefore} at the start, ${loadAverage()} at the end. All programs share the machine.`,
    `${options.rounds} rounds of ${options.duration / 1000} s in turns, behind a run of each that does not count and ${leadIn / 1000} s of each that do not; medians of rounds.`,
    `TLS: ${tls.join(' or ') || 'none'}, key exchange ${options.group}, the same ECDSA P-256 certificate; ${options.resume ? 'sessions are resumed where the server lets them' : 'no session is resumed'}.`,
    'Times: of sessions that stay open from MAIL to the 250 behind the data; of a connection for each message from the connection on.',
    'CPU: user and system time of all processes of a server, from /proc: what its living threads ran, and what ended processes left to their parent. Not in it is what the kernel does on its own, such as writing to disk.',
    'Memory: the sum of proportional set sizes (PSS) of all processes of a server, the most of four looks a second in the run that does not count, and one at the end of each that does.',
    ...(options.servers.some((name) => name.startsWith('mailflow'))
      ? [
          `mailflow: as deployed, before a store that answers each request after ${storageMs} ms; the store is a process of its own and took ${storage.toFixed(3)} s for 1,000 messages beside the ingress's own. It greets a client after 100 ms (early talkers), the others at once: in the time of each connection for a message, and at so many at once a bound on their number.`,
        ]
      : []),
    ...(options.servers.includes('postfix')
      ? [
          `Postfix ${postfixVersion()}, as Debian ships it: queue on disk (${disk()}), then the transport discard:, whose work is in its figures. Lifted: smtpd_client_connection_count_limit, in_flow_delay, and default_process_limit to one process for each session.`,
        ]
      : []),
    ...(options.servers.some((name) => name.startsWith('haraka'))
      ? [
          `Haraka ${harakaVersion}: its own configuration, plugins tls, rcpt_to.in_host_list and queue/discard: it keeps nothing.`,
        ]
      : []),
    ...(options.servers.includes('bare')
      ? [
          'bare smtp-server: the npm package with the TLS options of the ingress; it reads messages and keeps nothing.',
        ]
      : []),
    `The load: ${options.generators} process${options.generators > 1 ? 'es' : ''}; the column says how much of a processor the busiest one used, of 100 % that it can.`,
  ]
  return lines.map((line) => `- ${line}`).join('\n')
}
