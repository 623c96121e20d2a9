/**
 * Measures what hostile inputs cost, in every test that sets a limit by `costsAtMost`: `npm run bench:costs`. Ends with
 * 1 when one costs more.
 */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'

const files = globSync('test/**/*.test.ts').filter((file) =>
  readFileSync(file, 'utf8').includes('costsAtMost('),
)
const args = ['--test', '--test-concurrency=1', '--test-timeout=120000', ...files]
const { status } = spawnSync(process.execPath, args, {
  stdio: 'inherit',
  env: { ...process.env, MEASURE_COSTS: '1' },
})
process.exitCode = status ?? 1
