/** What each view shows when the API, the network or a script of the console fails. */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Page, Route } from 'playwright-core'
import {
  type ConsoleTest,
  type OpenOptions,
  skip,
  startConsole,
  visit,
  whenRead,
} from '../support/console.ts'
import { addressOf, demoIds, type Samples, viewPaths } from '../support/console-views.ts'
import { waitForResult } from '../support/local/runner.ts'
import { presentUnknownCertificate } from '../support/unknown-certificates.ts'

const isApi = ({ pathname }: URL): boolean => !pathname.startsWith('/console')
const json = 'application/json'
const problem = (status: number, detail: string) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ title: 'Failed', status, detail }),
})

interface ApiFailure {
  answer(route: Route): Promise<void>
  /** What the view says. */
  text: RegExp
  button?: string
  /** The client of the API composes the text, so some views suffice. */
  inSomeViews?: true
}

const someViews: readonly string[] = ['/', '/messages/:id', '/partners/:name', '/reports/:name']

const failures: Readonly<Record<string, ApiFailure>> = {
  'the API refuses connections': {
    answer: (route) => route.abort('connectionrefused'),
    text: /The API cannot be reached/,
  },
  'the role does not suffice': {
    answer: (route) => route.fulfill(problem(403, 'This request needs the role read. You have no role.')),
    text: /Your role does not show this.*This request needs the role read/s,
    inSomeViews: true,
  },
  'the session has ended': {
    answer: (route) => route.fulfill({ status: 401, contentType: json, body: '{"message":"Unauthorized"}' }),
    text: /Your session has ended/,
    button: 'Sign in',
    inSomeViews: true,
  },
  'there are too many requests': {
    answer: (route) =>
      route.fulfill({ status: 429, contentType: json, body: '{"message":"Too Many Requests"}' }),
    text: /Wait a minute, then try again/,
    inSomeViews: true,
  },
  'the API fails': {
    answer: (route) =>
      route.fulfill({ status: 500, contentType: json, body: '{"message":"Internal Server Error"}' }),
    text: /The API failed \(500\)/,
    inSomeViews: true,
  },
  'a proxy answers with its page': {
    answer: (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Sign in</h1>' }),
    text: /A page came in place of an answer of the API/,
    inSomeViews: true,
  },
  'the answer is cut off': {
    answer: (route) => route.fulfill({ status: 200, contentType: json, body: '{"items":[{"id":"01' }),
    text: /incomplete or was changed/,
    inSomeViews: true,
  },
  'the answer has another form': {
    answer: (route) =>
      route.request().url().endsWith('/caller')
        ? route.continue()
        : route.fulfill({ status: 200, contentType: json, body: '{"items":7}' }),
    text: /Cannot show|has another form than|has no reports/,
  },
}

/** The console tries again after one and after two seconds, for which a test need not wait. */
const withoutPauses = `
  const wait = setTimeout
  setTimeout = (act, ms, ...values) => wait(act, ms === 1000 || ms === 2000 ? 20 : ms, ...values)`

/** What only a developer reads. */
const rawText = /Unexpected token|Failed to fetch|NetworkError|\bat \S+\.js|\[object/

/** Clicks until each part of the view, of which each may have failed, has recovered. */
async function recover(page: Page, button: string): Promise<void> {
  const main = page.locator('main')
  await waitForResult(
    async () => {
      const isLeft = (await main.getByText(/Cannot (read|show)|Your role does not/).count()) > 0
      if (!isLeft && (await main.getByRole('heading', { level: 1 }).count()) === 1) return true
      await main
        .getByRole('button', { name: button })
        .first()
        .click({ timeout: 10_000 })
        .catch(() => {})
      await whenRead(page)
      return null
    },
    0,
    120_000,
  )
}

describe('failures', { skip }, () => {
  let console: ConsoleTest
  let ids: Samples

  before(async () => {
    console = await startConsole()
    await presentUnknownCertificate(console)
    ids = await demoIds(console)
  })
  after(() => console?.close())

  /** A page that stays open would go on reading. */
  async function open(context: TestContext, view: string, options: OpenOptions = {}) {
    const opened = await console.open(view, { waitUntil: 'commit', ...options })
    context.after(async () => {
      await opened.page.unrouteAll({ behavior: 'ignoreErrors' })
      await opened.page.context().close()
    })
    return opened
  }
  const mainOf = (page: Page) => page.locator('main')
  const widthFault = (page: Page) =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

  describe('each view says what to do', { concurrency: 4 }, () => {
    for (const [name, { answer, text, button = 'Try again', inSomeViews }] of Object.entries(failures))
      test(`when ${name}`, async (context) => {
        const pageErrors: string[] = []
        let isFailing = false
        const { page } = await open(context, '/none', {
          prepare: async (each) => {
            each.on('pageerror', ({ message }) => pageErrors.push(message))
            await each.addInitScript(withoutPauses)
            await each.route(isApi, (route) => (isFailing ? answer(route) : route.continue()))
          },
        })
        const main = mainOf(page)
        await main.getByText('There is no such page').waitFor()
        for (const path of inSomeViews ? someViews : viewPaths)
          await context.test(path, async () => {
            isFailing = true
            await visit(page, addressOf(path, ids))
            await page.getByRole('heading', { level: 1 }).waitFor()
            await whenRead(page)
            const shown = (await main.textContent()) ?? ''
            assert.match(shown, text)
            assert.doesNotMatch(shown, rawText)
            assert.equal(await widthFault(page), 0)
            isFailing = false
            await recover(page, button)
            assert.deepEqual(pageErrors, [])
          })
      })
  })

  test('a part that fails does not take the others of the overview', async (context) => {
    const parts = [
      ['/health', 'the alarms'],
      ['/queues', 'the mail that waits'],
      ['/reports/rejected', 'the refusals'],
      ['/reports/connector-tls', 'the encryption of mail'],
      ['/certificates/observed', 'the certificates'],
    ] as const
    let failing = ''
    const { page } = await open(context, '/none', {
      prepare: (each) =>
        each.route(
          (url) => url.pathname === failing,
          (route) => route.fulfill(problem(400, 'Refused by the test.')),
        ),
    })
    const main = mainOf(page)
    await main.getByText('There is no such page').waitFor()
    for (const [path] of parts) {
      failing = path
      await visit(page, '')
      await main.getByText('Refused by the test.').first().waitFor()
      await whenRead(page)
      assert.equal(await main.getByText('Refused by the test.').count(), 1, path)
      assert.equal(await main.getByRole('button', { name: 'Try again' }).count(), 1, path)
      assert.equal(await main.getByText(/^Cannot/).count(), 1, path)
    }
  })

  test('an answer that cannot be shown does not take the other parts of the overview', async (context) => {
    const { page } = await open(context, '', {
      prepare: (each) =>
        each.route(
          (url) => url.pathname === '/health',
          (route) => route.fulfill({ status: 200, contentType: json, body: '{}' }),
        ),
    })
    await page.getByText('Cannot show the alarms').waitFor()
    await page
      .getByText(/In the clear: \d/)
      .first()
      .waitFor()
    assert.equal(await page.getByText(/^Cannot/).count(), 1)
  })

  test('what was read stays, with its time, when it cannot be read again', async (context) => {
    const { page } = await open(context, '/queues')
    await page.getByRole('heading', { name: 'Groups (2)' }).waitFor()
    await page.route(isApi, (route) => route.fulfill(problem(400, 'Refused by the test.')))
    await page.getByRole('button', { name: 'Read again' }).click()
    await page.getByText(/What you see is of .*Refused by the test\./).waitFor()
    await page.getByRole('heading', { name: 'Groups (2)' }).waitFor()
  })

  test('a slow API: each view says that it reads, and is accessible meanwhile', async (context) => {
    let isSlow = false
    let waiting: (() => void)[] = []
    const { page, assertNoFaults, assertAccessible } = await open(context, '/none', {
      prepare: (each) =>
        each.route(isApi, async (route) => {
          if (isSlow) await new Promise<void>((resolve) => waiting.push(resolve))
          await route.continue()
        }),
    })
    const main = mainOf(page)
    await main.getByText('There is no such page').waitFor()
    for (const path of viewPaths)
      await context.test(path, async () => {
        isSlow = true
        await visit(page, addressOf(path, ids))
        await page.getByRole('heading', { level: 1 }).waitFor()
        await main
          .getByText(/^Reading(?! the view)/)
          .first()
          .waitFor()
        assert.equal(await widthFault(page), 0)
        await assertAccessible()
        isSlow = false
        for (const resolve of waiting) resolve()
        waiting = []
        await whenRead(page)
        assert.equal(await main.getByText(/Cannot (read|show)/).count(), 0)
        assertNoFaults()
      })
  })

  test('a change is requested once, however often its button is clicked while the API is slow', async (context) => {
    let requests = 0
    const { page } = await open(context, '/queues?partner=clinic.example', {
      prepare: (each) =>
        each.route(
          (url) => url.pathname === '/queues/retry',
          async (route) => {
            requests += 1
            await new Promise((resolve) => setTimeout(resolve, 1000))
            await route.fulfill({
              status: 200,
              contentType: json,
              body: JSON.stringify({ requested: 1, messages: 1, skipped: [], nextCursor: null }),
            })
          },
        ),
    })
    await page.getByRole('checkbox', { name: 'Select clinic.example, OutboundTlsNotMet' }).check()
    await page.getByRole('button', { name: 'Retry now' }).click()
    await page.getByLabel('Retry now', { exact: true }).getByRole('button', { name: 'Retry now' }).dblclick()
    await page.getByText('Requested a retry').waitFor()
    assert.equal(requests, 1)
  })

  test('a change whose answer is lost may have been made, and says so', async (context) => {
    const { page } = await open(context, addressOf('/messages/:id', ids), {
      prepare: (each) =>
        each.route(
          (url) => url.pathname.endsWith('/retry'),
          (route) => route.abort('connectionreset'),
        ),
    })
    await page.getByRole('button', { name: 'Retry now' }).click()
    await page.getByLabel('Retry now', { exact: true }).getByRole('button', { name: 'Retry now' }).click()
    await page.getByText(/cannot be reached.*may have been done nevertheless: read again/).waitFor()
  })

  test('a change without a network fails, and is not sent later, when the person has cancelled it', async (context) => {
    const { page } = await open(context, '/partners/bank.example')
    const changes: string[] = []
    page.on('requestfinished', (request) => {
      if (request.method() === 'PATCH') changes.push(request.url())
    })
    await page
      .getByRole('button', { name: /^Disable: / })
      .first()
      .click()
    const dialog = page.getByRole('dialog')
    await page.context().setOffline(true)
    await dialog.getByRole('button', { name: 'Disable', exact: true }).click()
    await dialog.getByText('It is not known whether the change was saved').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.context().setOffline(false)
    await page.waitForTimeout(500)
    assert.deepEqual(changes, [])
  })

  describe('a proxy that removes headers', () => {
    test('each view needs none of an answer', async (context) => {
      const { page } = await open(context, '/none', {
        prepare: (each) =>
          each.route('**/*', async (route) => {
            const response = await route.fetch()
            const isScript = /\.(js|css|woff2?)$/.test(new URL(route.request().url()).pathname)
            await route.fulfill({
              status: response.status(),
              body: await response.body(),
              // A browser runs no module without its type.
              headers: isScript ? { 'content-type': response.headers()['content-type'] ?? '' } : {},
            })
          }),
      })
      await mainOf(page).getByText('There is no such page').waitFor()
      for (const path of viewPaths)
        await context.test(path, async () => {
          await visit(page, addressOf(path, ids))
          await whenRead(page)
          assert.equal(await page.getByText(/Cannot (read|show)/).count(), 0)
        })
    })

    test('a change without If-Match is not made, and says why', async (context) => {
      const { page } = await open(context, addressOf('/partners/:name', ids), {
        prepare: (each) =>
          each.route(
            ({ pathname }) => pathname.includes('-connectors/'),
            async (route) => {
              const { 'if-match': _, ...headers } = route.request().headers()
              await route.continue({ headers })
            },
          ),
      })
      await page.getByRole('button', { name: 'Set to ReportOnly' }).first().click()
      const confirmation = page.getByRole('dialog')
      await confirmation.getByRole('button', { name: 'Set to ReportOnly', exact: true }).click()
      await page.getByText(/Nothing was changed.*If-Match/).waitFor()
    })

    test('without the type of its scripts, the page says that it has not started', async (context) => {
      const { page } = await open(context, '', {
        prepare: (each) =>
          each.route(/\/main-\w+\.js$/, async (route) => {
            const response = await route.fetch()
            await route.fulfill({ status: 200, body: await response.body(), headers: {} })
          }),
      })
      await page.getByText('The console has not started. Reload the page.').waitFor()
    })
  })

  describe('the settings of the console', { concurrency: 2 }, () => {
    for (const [name, { answer, text }] of Object.entries(failures)) {
      if (/role|session|form/.test(name)) continue
      test(`${name}: the console says so, and starts when it is tried again`, async (context) => {
        let isFailing = true
        const { page } = await open(context, '/none', {
          prepare: (each) =>
            each.route('**/config.json', (route) => (isFailing ? answer(route) : route.continue())),
        })
        await page.getByText('The console cannot start').waitFor()
        const message = (await page.textContent('body')) ?? ''
        assert.doesNotMatch(message, rawText)
        if (!name.includes('refuses')) assert.match(message, text)
        isFailing = false
        await page.getByRole('button', { name: 'Try again' }).click()
        await page.getByText('There is no such page').waitFor()
      })
    }
  })

  describe('a script of a view that is missing after a deployment', () => {
    const script = /\/console\/queues-\w+\.js$/
    const missing = (route: Route) => route.fulfill({ status: 404, body: 'The console has no such file.' })

    async function openAndFollow(context: TestContext, answer: (route: Route) => Promise<void>) {
      let loads = 0
      const { page } = await open(context, '', { prepare: (each) => each.route(script, answer) })
      await page.waitForLoadState('load')
      page.on('load', () => {
        loads += 1
      })
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.getByRole('link', { name: 'Held and deferred' }).click()
      return { page, loads: () => loads }
    }

    test('loads the page again', async (context) => {
      let requests = 0
      const { page, loads } = await openAndFollow(context, (route) => {
        requests += 1
        return requests === 1 ? missing(route) : route.continue()
      })
      await page.getByRole('heading', { name: 'Groups (2)' }).waitFor()
      assert.equal(loads(), 1)
    })

    test('is said if the new page does not have it either', async (context) => {
      const { page, loads } = await openAndFollow(context, missing)
      await page.getByText('Cannot load this view').waitFor()
      await page.getByRole('button', { name: 'Reload the page' }).waitFor()
      assert.equal(loads(), 1)
      await page.getByRole('link', { name: 'Changes' }).click()
      await page.getByRole('heading', { name: 'Changes', level: 1 }).waitFor()
    })

    test('does not lose the page if the console cannot be reached', async (context) => {
      const { page, loads } = await openAndFollow(context, (route) => route.abort('connectionrefused'))
      await page.getByText('Cannot load this view').waitFor()
      assert.equal(loads(), 1)
    })
  })
})
