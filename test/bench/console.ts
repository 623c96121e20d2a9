/**
 * Measures each view of the console in a browser with an empty cache, with the mail of the demo: `npm run bench:console
 * [-- --rounds 5]`. Prints a Markdown table, and fails if a view exceeds a budget: 1.5 s until it is visible, 480 KB of
 * compressed scripts, no violation of the Content-Security-Policy.
 */
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { startConsole } from '../support/console.ts'
import { consoleViews } from '../support/console-views.ts'
import { load, machine } from './machine.ts'
import { median } from './median.ts'

const maxVisibleMs = 1500
const maxScriptOctets = 480_000

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
const rounds = Number(values.rounds)

interface Visit {
  /** ms from the request for the page until its heading is visible. */
  readonly visibleMs: number
  /** Octets of the scripts, as they were sent. */
  readonly scriptOctets: number
  readonly violations: readonly string[]
}

const console = await startConsole()
const excesses: string[] = []
try {
  const views = await consoleViews(console)
  // The first visit fills the caches of the function, not of the browser.
  await visit(views[0]?.address ?? '/')
  process.stdout.write(`${machine()}; load ${load()}; median of ${rounds}\n\n`)
  process.stdout.write('| View | Visible | Scripts | Violations of the policy |\n|---|---|---|---|\n')
  for (const { name, address } of views) {
    const visits: Visit[] = []
    for (let round = 0; round < rounds; round++) visits.push(await visit(address))
    const visible = median(visits.map(({ visibleMs }) => visibleMs))
    const scripts = Math.max(...visits.map(({ scriptOctets }) => scriptOctets))
    const violations = visits.flatMap(({ violations }) => violations)
    process.stdout.write(
      `| ${name} | ${(visible / 1000).toFixed(2)} s | ${Math.round(scripts / 1000)} KB | ${violations.length} |\n`,
    )
    if (visible > maxVisibleMs || scripts > maxScriptOctets || violations.length > 0)
      excesses.push([name, ...violations].join(': '))
  }
} finally {
  await console.close()
}
if (excesses.length > 0) {
  process.stderr.write(`Over the budget: ${excesses.join('; ')}\n`)
  process.exitCode = 1
}

async function visit(address: string): Promise<Visit> {
  const page = await console.newPage()
  try {
    await page.addInitScript(
      "violations = []; document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective))",
    )
    const startedAt = performance.now()
    await page.goto(console.url(address), { waitUntil: 'commit' })
    await page.getByRole('heading', { level: 1 }).waitFor()
    const visibleMs = performance.now() - startedAt
    await page.waitForLoadState('networkidle')
    return {
      visibleMs,
      scriptOctets: await scriptOctets(page),
      violations: await page.evaluate<string[]>('violations'),
    }
  } finally {
    await page.context().close()
  }
}

function scriptOctets(page: Page): Promise<number> {
  return page.evaluate<number>(
    "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)",
  )
}
