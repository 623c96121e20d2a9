/** Texts that strangers choose, in each view; and addresses and stored values that someone changed. */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Page, Route } from 'playwright-core'
import {
  type ConsoleTest,
  expandAll,
  type OpenOptions,
  skip,
  startConsole,
  visit,
  whenRead,
} from '../support/console.ts'
import { findings } from '../support/console-findings.ts'
import { addressOf, demoIds, type Samples, viewPaths } from '../support/console-views.ts'
import { presentUnknownCertificate } from '../support/unknown-certificates.ts'

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

describe('hostile texts', { skip }, () => {
  let console: ConsoleTest
  let ids: Samples

  before(async () => {
    console = await startConsole()
    await presentUnknownCertificate(console)
    ids = await demoIds(console)
  })
  after(() => console?.close())

  async function open(context: TestContext, options: OpenOptions = {}) {
    const opened = await console.open('/none', { waitUntil: 'commit', ...options })
    opened.page.on('dialog', (dialog) => {
      opened.faults.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    context.after(() => opened.page.context().close())
    await opened.page.getByText('There is no such page').waitFor()
    return opened
  }

  async function assertHarmless(page: Page, title = ''): Promise<void> {
    await whenRead(page)
    assert.deepEqual(await page.evaluate(findings), [], title)
    assert.equal(await page.getByText('Cannot show').count(), 0, title)
  }

  test('each view shows them as text, at 390 and 1280 pixels', async (context) => {
    const { page, faults, assertNoFaults } = await open(context, {
      prepare: (each) => each.route(isApi, answerWithHostileTexts),
    })
    for (const path of viewPaths)
      await context.test(path, async () => {
        faults.length = 0
        await page.setViewportSize({ width: 390, height: 900 })
        await visit(page, addressOf(path, ids))
        await assertHarmless(page, '390 pixels')
        assert.deepEqual(await page.getByText(/^Cannot read/).allTextContents(), [])
        await page.setViewportSize({ width: 1280, height: 900 })
        await assertHarmless(page, '1280 pixels')
        await expandAll(page)
        await assertHarmless(page, 'expanded')
        await page.setViewportSize({ width: 390, height: 900 })
        await assertHarmless(page, 'expanded at 390 pixels')
        assertNoFaults()
      })
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
      'q search state cursor kind sort page zone from to last completeUntil constructor __proto__ partner reason connector sender domain direction all only trusted recipient recipients days'.split(
        ' ',
      )
    const addressWith = (path: string, value: string): string => {
      const encoded = value.includes('%') ? value : encodeURIComponent(value)
      const short = encoded.slice(0, 300)
      const query = parameters.map((name) => `${name}=${short}`).join('&')
      if (path.includes(':')) return path.replaceAll(/:\w+/g, encoded)
      return `${path === '/' ? '' : path}?${query}#${short}`
    }
    async function openRecording(context: TestContext) {
      const errors: string[] = []
      const { page } = await open(context, {
        prepare: async (each) => each.on('pageerror', ({ message }) => errors.push(message)),
      })
      const assertSurvived = async (title: string) => {
        await assertHarmless(page, title)
        assert.deepEqual(errors, [], title)
        assert.ok(page.url().startsWith(console.runner.endpoints.console ?? ''), title)
      }
      return { page, assertSurvived }
    }

    test('each view survives it', async (context) => {
      const { page, assertSurvived } = await openRecording(context)
      for (const path of viewPaths)
        await context.test(path, async () => {
          for (const [title, value] of Object.entries(values)) {
            await visit(page, addressWith(path, value))
            await assertSurvived(title)
          }
        })
    })

    test('so does a page that starts with it', async (context) => {
      const { page, assertSurvived } = await openRecording(context)
      for (const path of ['/messages', '/partners/:name'])
        for (const [title, value] of Object.entries(values)) {
          await page.goto(console.url(addressWith(path, value)), { waitUntil: 'commit' })
          await assertSurvived(`${path}: ${title}`)
        }
    })
  })

  test('stored filters that someone changed do not break the message trace', async (context) => {
    const { page, faults } = await open(context)
    for (const stored of [
      '{',
      'null',
      '7',
      '[null, 7, {}]',
      JSON.stringify([{ name: '__proto__', state: { __proto__: 'x', from: 'never' } }]),
      JSON.stringify([{ name: hostileText, state: { state: 'constructor', last: '-1' } }]),
      `[{"name":"n","state":{"__proto__":"x","constructor":"y"}}]`,
    ]) {
      await page.evaluate(`localStorage.setItem('mailflow.messageFilters', ${JSON.stringify(stored)})`)
      await page.goto(console.url('/messages'), { waitUntil: 'commit' })
      await whenRead(page)
      await page.getByRole('button', { name: /Saved filters/ }).click()
      await assertHarmless(page)
      const option = page.getByRole('option').first()
      if (await option.isVisible()) await option.click()
      await assertHarmless(page)
      // The API refuses values that are none of its own, and the view names the filter.
      assert.deepEqual(
        faults.filter((fault) => !fault.includes('status of 400')),
        [],
      )
    }
  })
})
