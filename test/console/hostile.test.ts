/** Texts that strangers choose, in each view; and addresses and stored values that someone changed. */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Page, Route } from 'playwright-core'
import { type ConsoleTest, type OpenOptions, skip, startConsole } from '../support/console.ts'
import { addressOf, demoIds, type Samples, viewPaths } from '../support/console-views.ts'

const markup = '<img src=x onerror="alert(1)"><script>alert(1)</script>{{7*7}}'
const hostileText = `${markup}\u202Egnp.exe\u2066\u200B\u0000\u0007\u001B[31m\r\nsecond line\t=cmd|'/c'!A0${'W'.repeat(3000)}`
const longText = `550 5.7.1 ${hostileText}${'0'.repeat(100_000)}`

/** Fields whose texts servers, senders and partners choose, or administrators for them. */
const texts =
  /^(name|comment|reply|host|server|subject|issuer|subjectAltNames|helo|mailFrom|address|sender|recipient|partner|partnerDomain|senderDomains|recipientDomains|actor|serverName|cipher|trustError|notVerified|detail|headerMessageId|summary|impact|certificate|reportOnly|key|group|mx_host|certificate_subject)$/

/** Replaces texts of an answer, as a hostile server would choose them. */
function withHostileTexts(value: unknown, field = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withHostileTexts(item, field))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, withHostileTexts(item, name)]),
    )
  if (typeof value !== 'string' || !texts.test(field)) return value
  return field === 'reply' ? longText : `${value} ${hostileText}`
}

const isApi = ({ pathname }: URL): boolean => !pathname.startsWith('/console')

async function answerWithHostileTexts(route: Route): Promise<void> {
  const response = await route.fetch()
  const { pathname } = new URL(route.request().url())
  const body: unknown = await response.json()
  // The report's own name is of the API.
  const name = pathname.startsWith('/reports') ? { name: (body as { name?: string }).name } : {}
  const isList = pathname === '/reports'
  await route.fulfill({ json: isList ? body : { ...(withHostileTexts(body) as object), ...name } })
}

/** Elements that only a text could have brought, and characters that hide or reorder others. */
const findings = `(() => {
  const hidden = /[\\u202A-\\u202E\\u2066-\\u2069\\u200B\\u0000-\\u0008\\u001B]/
  const found = []
  for (const element of document.querySelectorAll('img, script:not([src^="/console/"]), iframe, [onerror]'))
    found.push(element.outerHTML.slice(0, 100))
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode())
    if (hidden.test(walker.currentNode.data))
      found.push('text of ' + walker.currentNode.parentElement.outerHTML.slice(0, 200))
  for (const element of document.querySelectorAll('[aria-label], [title]'))
    for (const name of ['aria-label', 'title'])
      if (hidden.test(element.getAttribute(name) ?? '')) found.push(name + ' of ' + element.outerHTML.slice(0, 200))
  const excess = document.documentElement.scrollWidth - document.documentElement.clientWidth
  if (excess > 0) found.push('wider by ' + excess + ' px')
  return [...new Set(found)]
})()`

describe('hostile texts', { skip }, () => {
  let console: ConsoleTest
  let ids: Samples

  before(async () => {
    console = await startConsole()
    ids = await demoIds(console)
  })
  after(() => console?.close())

  async function open(context: TestContext, address: string, options: OpenOptions = {}) {
    const opened = await console.open(address, options)
    opened.page.on('dialog', (dialog) => {
      opened.faults.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    context.after(() => opened.page.context().close())
    return opened
  }

  async function assertHarmless(page: Page): Promise<void> {
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page
      .getByText(/^Reading/)
      .first()
      .waitFor({ state: 'hidden' })
    assert.deepEqual(await page.evaluate(findings), [])
    assert.equal(await page.getByText(/Cannot (show|read)/).count(), 0)
  }

  for (const path of viewPaths)
    for (const width of [1280, 390])
      test(`${path} shows them as text at ${width} pixels`, async (context) => {
        const { page, assertNoFaults } = await open(context, addressOf(path, ids), {
          viewport: { width, height: 900 },
          prepare: (each) => each.route(isApi, answerWithHostileTexts),
        })
        await assertHarmless(page)
        // On a narrow screen the first one opens the navigation, which covers the view.
        if (width === 390) return assertNoFaults()
        for (const button of await page.locator('main [aria-expanded=false]').all())
          await button.click({ timeout: 1000 }).catch(() => {})
        await assertHarmless(page)
        assertNoFaults()
      })

  describe('an address that someone changed', () => {
    const values = {
      markup: markup,
      'a reordering': '\u202Egnp.exe',
      'a slash': 'a%2Fb',
      'a folder': '..%2F..%2Fhealth',
      'a malformed escape': '%E0%A4%A',
      'a null': 'a%00b',
      'a prototype key': '__proto__',
      'a constructor': 'constructor',
      'a formula': '=cmd|x',
      'many characters': 'x'.repeat(6000),
    }
    const parameters =
      'q search state cursor kind sort page zone from to last completeUntil constructor __proto__ partner reason connector sender'.split(
        ' ',
      )
    const addressWith = (path: string, value: string): string => {
      const encoded = value.includes('%') ? value : encodeURIComponent(value)
      if (path.includes(':')) return path.replaceAll(/:\w+/g, encoded)
      const short = encoded.slice(0, 300)
      const query = parameters.map((name) => `${name}=${short}`).join('&')
      return `${path === '/' ? '' : path}?${query}#${short}`
    }
    for (const path of viewPaths)
      test(`${path} survives it`, async (context) => {
        const errors: string[] = []
        const { page } = await open(context, '', {
          prepare: async (each) => each.on('pageerror', ({ message }) => errors.push(message)),
        })
        for (const [title, value] of Object.entries(values)) {
          await page.goto(`${console.runner.endpoints.console}${addressWith(path, value)}`)
          await page.getByRole('heading', { level: 1 }).waitFor()
          await page
            .getByText(/^Reading/)
            .first()
            .waitFor({ state: 'hidden' })
          assert.deepEqual(await page.evaluate(findings), [], title)
          assert.equal(await page.getByText('Cannot show').count(), 0, title)
          assert.deepEqual(errors, [], title)
          assert.ok(page.url().startsWith(console.runner.endpoints.console ?? ''), title)
        }
      })
  })

  test('stored filters that someone changed do not break the message trace', async (context) => {
    for (const stored of [
      '{',
      'null',
      '7',
      '[null, 7, {}]',
      JSON.stringify([{ name: '__proto__', state: { __proto__: 'x', from: 'never' } }]),
      JSON.stringify([{ name: hostileText, state: { state: 'constructor', last: '-1' } }]),
      `[{"name":"n","state":{"__proto__":"x","constructor":"y"}}]`,
    ]) {
      const { page, faults } = await open(context, '/messages', {
        prepare: (each) =>
          each.addInitScript((value) => localStorage.setItem('mailflow.messageFilters', value), stored),
      })
      await page.getByRole('button', { name: /Saved filters/ }).click()
      await assertHarmless(page)
      const option = page.getByRole('option').first()
      if (await option.isVisible()) await option.click()
      await page.getByRole('heading', { level: 1 }).waitFor()
      // The API refuses values that are none of its own, and the view names the filter.
      assert.deepEqual(
        faults.filter((fault) => !fault.includes('status of 400')),
        [],
      )
    }
  })
})
