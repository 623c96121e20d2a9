/**
 * Messages per second through the real ingress process over TLS, by DATA and by BDAT, beside bare smtp-server, in
 * interleaved rounds: `npm run bench:ingress [-- --rounds N --seconds N --connections N --profile DIR]`. Then rounds of
 * mail that shows its tenant of Exchange Online; with `--tenants` only those. Prints Markdown tables. Ingress, bare server, storage stub and load generator are separate processes on one machine and share
 * its cores.
 */
import { parseArgs } from 'node:util'
import { selfSigned } from '../support/pki.ts'
import { Generators } from './generators.ts'
import { sampleMessage } from './load.ts'
import { load, machine } from './machine.ts'
import { hostname, startBare, startIngress, startStorage } from './mailflow.ts'
import { type Measurement, measure, type Server } from './measure.ts'
import { median } from './median.ts'
import { wholeNumber } from './peers-options.ts'
import { compareTenants } from './tenant-rounds.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '100' },
    profile: { type: 'string' },
    tenants: { type: 'boolean', default: false },
  },
})

const rounds = wholeNumber('rounds', values.rounds)
const seconds = wholeNumber('seconds', values.seconds)
const connections = wholeNumber('connections', values.connections)
const storageMs = 10
const sizes = [4, 50]
const running: { stop(): Promise<void> }[] = []

try {
  const generators = register(new Generators(1))
  const servers = values.tenants ? [] : await startServers()
  for (const { server, command } of servers) await measureOne(generators, server, command, 4)
  const results = new Map<string, Measurement[]>()
  for (let round = 0; round < rounds; round++)
    for (const kilobytes of sizes)
      for (const { name, server, command } of servers) {
        const key = `${kilobytes} KB, ${name}`
        const result = await measureOne(generators, server, command, kilobytes)
        results.set(key, [...(results.get(key) ?? []), result])
      }
  if (!values.tenants) console.log(report(results))
  if (!values.profile) {
    const options = { rounds, seconds: Math.min(seconds, 3), connections, storageMs }
    console.log(`\n${await compareTenants(generators, options, register)}`)
  }
} finally {
  for (const program of running.reverse()) await program.stop()
}

interface ServerUnderTest {
  name: string
  server: Server
  command: 'DATA' | 'BDAT'
}

/** A profile covers the ingress alone. */
async function startServers(): Promise<ServerUnderTest[]> {
  const identity = await selfSigned({ names: [hostname] })
  const storage = register(await startStorage(storageMs))
  const options = { identity, storage, connections, profile: values.profile }
  const server = register(await startIngress(options))
  const ingress: ServerUnderTest[] = [
    { name: 'mailflow ingress', server, command: 'DATA' },
    { name: 'mailflow ingress, BDAT', server, command: 'BDAT' },
  ]
  if (values.profile) return ingress
  return [
    ...ingress,
    { name: 'bare smtp-server', server: register(await startBare(identity)), command: 'DATA' },
  ]
}

function register<T extends { stop(): Promise<void> }>(program: T): T {
  running.push(program)
  return program
}

function measureOne(
  generators: Generators,
  server: Server,
  command: 'DATA' | 'BDAT',
  kilobytes: number,
): Promise<Measurement> {
  return measure(generators, server, {
    port: server.port,
    connections,
    mode: 'Persistent',
    group: 'X25519MLKEM768',
    resume: false,
    message: sampleMessage(kilobytes * 1024),
    command,
    leadInMs: 500,
    durationMs: seconds * 1000,
  })
}

function report(results: ReadonlyMap<string, readonly Measurement[]>): string {
  const rows = [...results].map(([key, rounds]) => {
    const rates = rounds.map(({ perSecond }) => perSecond)
    const range = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`
    const middle = (figure: (measured: Measurement) => number) => median(rounds.map(figure))
    const times = `${middle(({ p50 }) => p50).toFixed(1)} ms | ${middle(({ p99 }) => p99).toFixed(1)} ms`
    // Seconds for a thousand messages are milliseconds for one.
    const processor = `${Math.round(middle(({ processor }) => processor) * 1000)} µs`
    const errors = rounds
      .flatMap((round) => [...round.errors.values()])
      .reduce((sum, times) => sum + times, 0)
    const generator = `${Math.round(middle(({ generator }) => generator) * 100)} %`
    return `| ${key} | ${Math.round(median(rates))} | ${range} | ${times} | ${processor} | ${generator} | ${errors} |`
  })
  const conditions = `${connections} connections, storage responds in ${storageMs} ms, ${rounds} rounds of ${seconds} s`
  return [
    `${machine()}, load average at the end ${load()}; ${conditions}; medians of rounds.`,
    '',
    '| | messages/s | range | p50 | p99 | server CPU per message | load generator | errors |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n')
}
