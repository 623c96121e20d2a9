/**
 * Measures the ingress beside Postfix, Haraka and bare smtp-server, on this machine, in one run: `npm run bench:peers
 * [-- FLAGS]`. For each kind of load the servers are started again, each has a warm-up, and then they alternate. Prints
 * Markdown.
 */
import { selfSigned } from '../support/pki.ts'
import { Generators } from './generators.ts'
import { harakaVersion, requireHaraka, startHaraka } from './haraka.ts'
import { type Load, sampleMessage } from './load.ts'
import { disk, load as loadAverage, machine } from './machine.ts'
import { hostname, startBare, startIngress, startStorage } from './mailflow.ts'
import { type Measurement, measure, type Server } from './measure.ts'
import { median } from './median.ts'
import { type Cell, type Options, parseOptions, type ServerName, usage } from './peers-options.ts'
import { medianRateRatio } from './peers-ratios.ts'
import { report } from './peers-report.ts'
import { type Results, titleOf } from './peers-results.ts'
import { postfixVersion, requirePostfix, startPostfix } from './postfix.ts'

const storageMs = 10
const leadInMs = 1000

const running: { stop(): Promise<void> }[] = []
const print = (line: string) => console.error(line)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stopDownTo(0).finally(() => process.exit(1)))

try {
  await run(parseOptions(process.argv.slice(2)))
} catch (error) {
  print(`bench:peers: ${error instanceof Error ? error.message : String(error)}`)
  if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) print(usage)
  process.exitCode = 1
} finally {
  await stopDownTo(0)
}

/** Prints the results also when a server fails in the middle. */
async function run(options: Options): Promise<void> {
  const names = options.servers
  if (names.some((name) => name.startsWith('postfix'))) requirePostfix()
  if (names.some((name) => name.startsWith('haraka'))) await requireHaraka(print)
  const loadBefore = loadAverage()
  const generators = register(
    new Generators(options.generators, options.profile && `${options.profile}/load`),
  )
  const results: Results[] = []
  try {
    for (const cell of options.cells) results.push(await measureCell(cell, options, generators))
  } finally {
    if (results.length > 0) console.log(`${conditions(options, results, loadBefore)}\n\n${report(results)}`)
  }
  if (options.otherCheckout !== undefined) compare(results, options.minRatio)
}

function compare(results: readonly Results[], min: number): void {
  const ratio = medianRateRatio(results, 'mailflow', 'mailflow-before')
  console.log(
    `\nThe rate of this checkout is ${ratio.toFixed(3)} times the rate of the other one; the minimum is ${min}.`,
  )
  if (!(ratio >= min)) process.exitCode = 1
}

async function measureCell(cell: Cell, options: Options, generators: Generators): Promise<Results> {
  const before = running.length
  const servers = await startServers(cell, options)
  const memory = new Map<ServerName, number>()
  const rounds = new Map<ServerName, Measurement[]>(servers.map(([name]) => [name, []]))
  const once = async (name: ServerName, server: Server, watchMemory = false) => {
    const load = loadOn(server, cell, options)
    const measured = await measure(generators, server, load, watchMemory).catch((error: Error) => {
      throw new Error(`${titleOf(cell)}, ${name}: ${error.message}`)
    })
    memory.set(name, Math.max(memory.get(name) ?? 0, measured.memory))
    return measured
  }
  for (const [name, server] of servers) await once(name, server, true)
  for (let round = 0; round < options.rounds; round++)
    for (const [name, server] of rotate(servers, round)) {
      const measured = await once(name, server)
      rounds.get(name)?.push(measured)
      print(`${titleOf(cell)}, round ${round + 1}, ${name}: ${Math.round(measured.perSecond)}/s`)
    }
  await stopDownTo(before)
  return { cell, rounds, memory }
}

/** Rotates the list, so that each round begins with another server. */
function rotate<T>(all: readonly T[], offset: number): T[] {
  const first = offset % all.length
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
    leadInMs,
    durationMs: duration,
  }
}

async function startServers({ connections }: Cell, options: Options): Promise<[ServerName, Server][]> {
  const identity = await selfSigned({ names: [hostname] })
  const { group } = options
  const profile = options.profile && `${options.profile}/ingress`
  const startOwn = async (checkout?: string): Promise<Server> => {
    const storage = register(await startStorage(storageMs))
    const ingress = await startIngress({ identity, storage, connections, profile, checkout })
    return { ...ingress, storage }
  }
  const starts: Record<ServerName, () => Promise<Server>> = {
    mailflow: () => startOwn(),
    'mailflow-before': () => startOwn(options.otherCheckout),
    postfix: () => startPostfix(identity, { connections, group, holds: false }),
    'postfix-hold': () => startPostfix(identity, { connections, group, holds: true }),
    haraka: () => startHaraka(identity, 0),
    'haraka-2': () => startHaraka(identity, 2),
    bare: () => startBare(identity),
  }
  const servers: [ServerName, Server][] = []
  for (const name of options.servers) servers.push([name, register(await starts[name]())])
  return servers
}

function register<T extends { stop(): Promise<void> }>(program: T): T {
  running.push(program)
  return program
}

/** Stops all but the first `count` programs, the latest first, because some programs need an earlier program. */
async function stopDownTo(count: number): Promise<void> {
  for (const program of running.splice(count).reverse())
    await program
      .stop()
      .catch((error: Error) => print(`bench:peers: cannot stop a program: ${error.message}`))
}

function conditions(options: Options, results: readonly Results[], loadBefore: string): string {
  const { rounds, duration, group, resume, generators } = options
  const all = results.flatMap(({ rounds }) => [...rounds.values()].flat())
  const tls = [...new Set(all.map(({ tls }) => tls).filter((tls) => tls !== null))].join(' or ')
  const seconds = (milliseconds: number) => milliseconds / 1000
  return [
    `${machine()}; ${new Date().toISOString().slice(0, 10)}; load average ${loadBefore} at the start, ${loadAverage()} at the end. All programs share the machine.`,
    `${rounds} rounds of ${seconds(duration)} s in turns, not counting ${seconds(leadInMs)} s before each and one whole run before all; medians of rounds.`,
    `TLS: ${tls ? `${tls}, key exchange ${group}, one ECDSA P-256 certificate for all; ${resume ? 'a session is resumed if the server permits it' : 'no session is resumed'}` : 'none'}.`,
    'Times: from MAIL to the 250 after the data; with a connection for each message, from the connection to that 250.',
    'CPU: user and system time of all processes of a server, from /proc: the time of living threads, and the time of ended processes that the parent has taken over, until the queue is empty. Work of the kernel itself, such as writing to disk, is not included.',
    'Memory: the sum of the proportional set sizes (PSS) of all processes of a server, the maximum of four samples per second in the run that is not counted, and of one sample at the end of every other run.',
    `The load: ${generators === 1 ? 'one process' : `${generators} processes`}; its column is the share of one processor that the busiest process used.`,
    ...notes(options, results),
  ]
    .map((line) => `- ${line}`)
    .join('\n')
}

/** Notes on each server that was measured. */
function notes({ servers }: Options, results: readonly Results[]): string[] {
  const has = (start: string) => servers.some((name) => name.startsWith(start))
  const ownRounds = results.flatMap(({ rounds }) =>
    [...rounds].filter(([name]) => name.startsWith('mailflow')),
  )
  const storage = median(
    ownRounds.flatMap(([, rounds]) => rounds.map(({ storageProcessor }) => storageProcessor)),
  )
  return [
    ...(has('mailflow')
      ? [
          `mailflow: the process as deployed, with a store that responds to each request after ${storageMs} ms. The store is a separate process that used ${storage.toFixed(3)} s of CPU for 1,000 messages; the CPU figures of the ingress do not include them, its rates are affected by them. The ingress greets after 100 ms (early talkers), the other servers greet immediately: with a connection for each message, this delay is part of the times and limits the rate.`,
        ]
      : []),
    ...(has('postfix')
      ? [
          `Postfix ${postfixVersion()}, as Debian ships it: the queue is on disk (${disk()}), then the transport discard: follows, whose work is part of the CPU. Disabled: smtpd_client_connection_count_limit and in_flow_delay; default_process_limit allows one process per session.`,
        ]
      : []),
    ...(has('haraka')
      ? [
          `Haraka ${harakaVersion}, with default settings and the plugins tls, rcpt_to.in_host_list and queue/discard: it stores nothing.`,
        ]
      : []),
    ...(has('bare')
      ? ['bare smtp-server: the npm package with the TLS options of the ingress; it stores nothing.']
      : []),
  ]
}
