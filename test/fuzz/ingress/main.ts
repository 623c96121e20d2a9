/**
 * The ingress against clients that say anything: `npm run fuzz:ingress [-- --seed N]`, FUZZ_SESSIONS of them, 100,000
 * without a word.
 */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { playToEngine } from './engine.ts'
import { grammar, mutations } from './scripts.ts'

const { values } = parseArgs({ options: { seed: { type: 'string', default: String(Date.now() % 2 ** 31) } } })
const seed = Number(values.seed)
const sessions = Number(process.env.FUZZ_SESSIONS ?? 100_000)
console.log(`seed ${seed}: ${sessions} sessions`)
for (const [name, scripts] of [
  ['grammar', grammar],
  ['mutations', mutations],
] as const) {
  const began = performance.now()
  const result = await fc.check(fc.asyncProperty(scripts, playToEngine), { seed, numRuns: sessions / 2 })
  console.log(name, result.numRuns, performance.now() - began)
  if (result.failed) {
    const shown = JSON.stringify(result.counterexample).replace(
      /(.)\1{20,}/g,
      (run, octet) => `${octet}{${run.length}}`,
    )
    console.log(shown, result.counterexamplePath, String(result.errorInstance).slice(0, 2000))
    process.exit(1)
  }
}
