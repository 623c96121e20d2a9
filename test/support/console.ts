/** The console in Debian's Chromium, against a local runner with the demo's mail. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { launch, type RunnerProcess, startRunner } from './local/runner.ts'
import { missing } from './peers/peers.ts'

export const skip = missing('chromium', 'apt-get install chromium')

export interface ConsoleTest {
  readonly runner: RunnerProcess
  /** Opens a view in a new page. Its faults end the test that calls `assertNoFaults`. */
  open(view: string, options?: OpenOptions): Promise<ConsolePage>
  /** Returns an empty page with an empty cache. */
  newPage(): Promise<Page>
  url(view: string): string
  /** Sends a request to the API, as a program would. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }>
  close(): Promise<void>
}

export interface OpenOptions extends BrowserContextOptions {
  /** Prepares the page before it is opened, such as with faults of the network. */
  prepare?(page: Page): Promise<unknown>
  /** What ends the opening. @default 'networkidle' */
  waitUntil?: 'networkidle' | 'commit'
}

export interface ConsolePage {
  readonly page: Page
  /** Errors of scripts, violations of the Content-Security-Policy, and failed requests. */
  readonly faults: string[]
  assertNoFaults(): void
  /** Fails with each finding of axe. */
  assertAccessible(): Promise<void>
}

/** @param args of the runner @default with the demo */
export async function startConsole(
  args: readonly string[] = [],
  start: typeof launch = launch,
): Promise<ConsoleTest> {
  const runner = await startRunner({ names: {} }, args, start)
  if (!args.includes('--no-demo'))
    while (!runner.output.some((line) => line.startsWith('Press Ctrl-C')))
      await once(runner.process.stdout as never, 'data')
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic'],
  })
  const url = (view: string) => `${runner.endpoints.console}${view}`
  return {
    runner,
    open: (view, options) => openView(browser, url(view), options),
    newPage: async () => (await browser.newContext({ viewport })).newPage(),
    url,
    api: async (method, path, body) => {
      const response = await fetch(`${runner.endpoints.api}${path}`, {
        method,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: (await response.json().catch(() => null)) as never }
    },
    close: async () => {
      await browser.close()
      await runner.stop()
    },
  }
}

const viewport = { width: 1280, height: 900 }

async function openView(
  browser: Browser,
  url: string,
  { prepare, waitUntil = 'networkidle', ...options }: OpenOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({ viewport, ...options })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('pageerror', ({ message }) => faults.push(message))
  // The browser's console does not show a violation whose error the script has caught.
  await page.exposeFunction('recordViolation', (directive: string) => faults.push(`policy: ${directive}`))
  await page.addInitScript(
    "document.addEventListener('securitypolicyviolation', (event) => recordViolation(event.violatedDirective))",
  )
  await prepare?.(page)
  await page.goto(url, { waitUntil })
  return {
    page,
    faults,
    assertNoFaults: () => assert.deepEqual(faults, []),
    assertAccessible: async () => {
      // The script of a view may still be loading.
      await page.getByRole('heading', { level: 1 }).waitFor()
      assert.deepEqual(await axeFindings(page), [])
    },
  }
}

/** Waits until a view shows what it has read. */
export async function whenRead(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).waitFor()
  const loading = page.locator('main [class*=awsui_status-loading], main [class*=awsui_spinner]')
  await loading.first().waitFor({ state: 'detached' })
}

/** The page's policy permits no foreign script, so this one is evaluated by the browser's debugger. */
async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<{
    violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[]
  }>('axe.run(document)')
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  )
}
