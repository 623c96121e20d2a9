/**
 * Fuzzes the ingress: `npm run fuzz:ingress [-- --seed N]`. FUZZ_SESSIONS sets the number of sessions, by default
 * 100,000. Nine of ten sessions run without sockets, which is fast. The tenth runs with a real ingress, mostly over
 * TLS. Half of the clients follow a grammar, the other half play mutated transcripts. Each session is compared with a
 * model, octet for octet. Exits with 1 at the first difference and prints how to reproduce it.
 */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { type Failure, FuzzedIngress, type IngressCounts } from './fuzzed-ingress.ts'
import { knownScripts } from './known-scripts.ts'
import { grammar, mutations, type Script } from './scripts.ts'
import { playToSession } from './session-player.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    round: { type: 'string' },
    kind: { type: 'string' },
    path: { type: 'string' },
  },
})

const kinds = ['grammar', 'mutations', 'wire'] as const
type Kind = (typeof kinds)[number]
const rounds = 10
const seed = wholeNumber('--seed', values.seed)
const sessions = wholeNumber('FUZZ_SESSIONS', process.env.FUZZ_SESSIONS ?? '100000')
/** Octets by which memory may grow between the second round and the last. */
const maxHeapGrowth = 12 * 1024 * 1024

for (const event of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(event, (error) => fail(`${event}: ${error instanceof Error ? error.stack : error}`))

console.log(`seed ${seed}: ${sessions} sessions`)
const wires = [await FuzzedIngress.start('Refuse'), await FuzzedIngress.start('Normalise')] as const
const startedAt = performance.now()
const chosenRounds =
  values.round === undefined ? [...Array(rounds).keys()] : [wholeNumber('--round', values.round)]
const chosenKinds = kinds.filter((kind) => values.kind === undefined || values.kind === kind)
let heapAfterWarmUp: number | null = null
await playKnownScripts()
for (const round of chosenRounds) {
  for (const kind of chosenKinds) await play(kind, round)
  console.log(
    `round ${round}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s, ${inMiB(heap())} MiB`,
  )
  if (round === 1) heapAfterWarmUp = heap()
}
const finalHeap = heap()
if (heapAfterWarmUp !== null && finalHeap > heapAfterWarmUp + maxHeapGrowth)
  fail(`memory grew from ${inMiB(heapAfterWarmUp)} to ${inMiB(finalHeap)} MiB`)
if (chosenKinds.includes('wire')) await leaveEarly()
for (const wire of wires) await wire.stop().catch((error) => fail(String(error)))
const sum = (name: keyof IngressCounts) => wires.reduce((total, { counts }) => total + counts[name], 0)
console.log(
  `${sum('handshakes')} sessions over TLS, ${sum('storedMessages')} messages stored by the real ingress`,
)
process.exit(0)

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  process.stderr.write(`${name}: ${text} is not a whole number\n`)
  process.exit(2)
}

async function playKnownScripts(): Promise<void> {
  for (const pieces of knownScripts)
    for (let playSeed = 0; playSeed < 200; playSeed++) {
      const script: Script = { pieces, cuts: [], seed: playSeed }
      await playToSession(script).catch((error) => fail(`${formatScript(script)}\n${error}`))
    }
}

async function play(kind: Kind, round: number): Promise<void> {
  const share = kind === 'wire' ? 0.1 : 0.45
  const numRuns = Math.max(1, Math.round((sessions * share) / rounds))
  if (kind === 'wire') return playToWire(numRuns, round)
  const property = fc.asyncProperty(kind === 'grammar' ? grammar : mutations, playToSession)
  const { path } = values
  const result = await fc.check(property, {
    seed: seed + round,
    numRuns,
    ...(path === undefined ? {} : { path }),
  })
  if (!result.failed) return
  const [script] = result.counterexample ?? []
  fail(
    [
      script === undefined ? 'no script' : formatScript(script),
      String(result.errorInstance).slice(0, 2000),
      `reproduce: npm run fuzz:ingress -- --seed ${seed} --round ${round} --kind ${kind} --path ${result.counterexamplePath}`,
    ].join('\n'),
  )
}

async function playToWire(numRuns: number, round: number): Promise<void> {
  const scripts = fc.sample(fc.oneof(grammar, mutations), { seed: seed + round, numRuns })
  const wire = round % 2 === 0 ? wires[0] : wires[1]
  report(await wire.play(scripts), `--round ${round} --kind wire`)
}

/**
 * Plays further sessions with a real ingress, whose clients disconnect early. Their number is a twentieth of the
 * sessions with a real ingress before.
 */
async function leaveEarly(): Promise<void> {
  const numRuns = Math.max(1, Math.round(sessions / 200 / wires.length))
  const scripts = fc.sample(fc.oneof(grammar, mutations), { seed: seed + rounds, numRuns })
  for (const wire of wires) report(await wire.leave(scripts), '--kind wire')
}

function report(failure: Failure | null, options: string): void {
  if (failure)
    fail(
      `${formatScript(failure.script)}\n${failure.error}\nreproduce: npm run fuzz:ingress -- --seed ${seed} ${options}`,
    )
}

/** Shortens long runs of one character to their length. */
function formatScript(script: Script): string {
  return JSON.stringify(script).replace(/(.)\1{20,}/g, (run, octet) => `${octet}{${run.length}}`)
}

function heap(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function inMiB(octets: number): string {
  return (octets / 1024 / 1024).toFixed(1)
}

function fail(reason: string): never {
  console.error(`seed ${seed}: ${reason}`)
  process.exit(1)
}
