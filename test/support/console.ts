/** The console in Debian's Chromium, against a local runner with the demo's mail. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page, type Request } from 'playwright-core'
import { consolePath } from '../../shared/contract/console.ts'
import { launch, type RunnerProcess, startRunner, waitForResult } from './local/runner.ts'
import { browserPath, skipWithoutBrowser } from './peers/browser.ts'

export const skip = skipWithoutBrowser

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
  /** What ends the opening: the view has read, or the page is received. @default 'read' */
  waitUntil?: 'read' | 'commit'
}

export interface ConsolePage {
  readonly page: Page
  /** Errors of scripts, violations of the Content-Security-Policy, and failed requests. */
  readonly faults: string[]
  assertNoFaults(): void
  /** Fails with each finding of axe, in light and in dark mode. */
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
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic'],
  })
  const url = (view: string) => `${runner.endpoints.console}${view}`
  return {
    runner,
    open: (view, options) => openView(browser, url(view), options),
    newPage: async () => (await browser.newContext(defaults)).newPage(),
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
      // A request that a test intercepts may still be on its way.
      for (const page of browser.contexts().flatMap((context) => context.pages()))
        await page.unrouteAll({ behavior: 'ignoreErrors' })
      await browser.close()
      await runner.stop()
    },
  }
}

/** Without motion, whose colors between two others axe would judge. */
const defaults = { viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' } as const

/** On a busy machine an emulated service may answer too late: the API says 503, and the console sends the request again. */
const repeated = /the server responded with a status of 503/

async function openView(
  browser: Browser,
  url: string,
  { prepare, waitUntil = 'read', ...options }: OpenOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({ ...defaults, ...options })
  const page = await context.newPage()
  const faults: string[] = []
  recordRequests(page)
  page.on('console', (message) => {
    if (message.type() === 'error' && !repeated.test(message.text())) faults.push(message.text())
  })
  page.on('pageerror', ({ message }) => faults.push(message))
  // The browser's console does not show a violation whose error the script has caught.
  await page.exposeFunction('recordViolation', (directive: string) => faults.push(`policy: ${directive}`))
  await page.addInitScript(
    "document.addEventListener('securitypolicyviolation', (event) => recordViolation(event.violatedDirective))",
  )
  await prepare?.(page)
  await page.goto(url, { waitUntil: 'commit' })
  if (waitUntil === 'read') await whenRead(page)
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

/** Requests of each page that have no answer yet. */
const pendingRequests = new WeakMap<Page, Set<Request>>()

function recordRequests(page: Page): void {
  const pending = new Set<Request>()
  pendingRequests.set(page, pending)
  page.on('request', (request) => pending.add(request))
  for (const event of ['requestfinished', 'requestfailed'] as const)
    page.on(event as 'requestfinished', (request) => pending.delete(request))
}

/** Resolves when React has shown what it knew. */
const nextFrame = 'new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))'

/** Whether the view says, after two frames, that it still reads. */
const hasRead = `(async () => {
  for (let frames = 0; frames < 2; frames += 1) await ${nextFrame}
  return document.querySelector('main h1') !== null &&
    document.querySelector('main [class*=awsui_status-loading], main [class*=awsui_spinner]') === null
})()`

/** Waits until a view shows what it has read. */
export async function whenRead(page: Page): Promise<void> {
  const pending = pendingRequests.get(page) ?? new Set()
  await waitForResult(
    async () => {
      if (pending.size > 0) return null
      // A page that loads again has no context for a moment.
      const isRead = await page.evaluate<boolean>(hasRead).catch(() => false)
      return isRead && pending.size === 0 ? true : null
    },
    30,
    60_000,
  )
}

/** Opens each section and menu of the view. */
export const expandAll = (page: Page): Promise<void> =>
  page.evaluate(`
    for (const button of document.querySelectorAll('main [aria-expanded=false]'))
      if (button instanceof HTMLElement) button.click()`)

/** React keeps the client of the answers in its tree, where its developer tools find it too. */
const forgetAnswers = `
  const container = document.getElementById('app')
  const key = Object.keys(container).find((name) => name.startsWith('__reactContainer'))
  let fiber = container[key].stateNode.current
  while (fiber.memoizedProps?.client === undefined) fiber = fiber.child
  fiber.memoizedProps.client.clear()
`

/**
 * Opens a view without loading the page, which takes a tenth of the time. The console forgets every answer of the API, as
 * when the page is loaded.
 */
export async function visit(page: Page, view: string): Promise<void> {
  const leave = (path: string) => `
    history.pushState(null, '', ${JSON.stringify(path)})
    await ${nextFrame}`
  // Not even a view of the same address stays.
  await page.evaluate(`(async () => {
    ${leave(`${consolePath}/none`)}
    ${forgetAnswers}
    ${leave(consolePath + view)}
  })()`)
}

/** Visits the page's view once more. */
export async function readAgain(page: Page): Promise<void> {
  const { pathname, search } = new URL(page.url())
  await visit(page, pathname.slice(consolePath.length) + search)
  await whenRead(page)
}

/** The page's policy permits no foreign script, so this one is evaluated by the browser's debugger. */
async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const findings: string[] = []
  // In dark mode only colors differ.
  for (const [colorScheme, rules] of [
    ['dark', ['color-contrast']],
    ['light', undefined],
  ] as const) {
    await page.emulateMedia({ colorScheme })
    await page.evaluate(nextFrame)
    const { violations } = await page.evaluate<{
      violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[]
    }>(`axe.run(document, ${JSON.stringify(rules === undefined ? {} : { runOnly: rules })})`)
    for (const { id, nodes } of violations)
      for (const { target, failureSummary } of nodes)
        findings.push(`${colorScheme}: ${id}: ${target.join(' ')}: ${failureSummary}`)
  }
  return findings
}
