/** A new installation without connectors, domains and mail; and a connector with 500 names. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type ConsolePage,
  type ConsoleTest,
  skip,
  startConsole,
  visit,
  whenRead,
} from '../support/console.ts'
import { addressOf, viewPaths } from '../support/console-views.ts'
import { sendMessage, waitForResult } from '../support/local/runner.ts'

/** What a view says that has nothing to show. */
const emptyTexts: Readonly<Record<string, RegExp>> = {
  '/': /^none$/,
  '/messages': /No messages match/,
  '/messages/:id': /There is no such message/,
  '/partners': /There are no connectors yet/,
  '/partners/add': /Which way the mail goes/,
  '/partners/:name/edit/:direction/:id': /There is no such inbound connector/,
  '/partners/:name': /No connector names bank\.example/,
  '/queues': /Mail appears here when a connector holds it/,
  '/unknown-certificates': /No client presents an unknown certificate/,
  '/unknown-certificates/:id': /There is no such unknown certificate/,
  '/certificates': /No certificate/,
  '/reports': /Reports/,
  '/reports/:name': /No entries match the filters/,
  '/domains': /There is no accepted domain yet/,
  '/domains/:domain': /This is not an accepted domain/,
  '/conformance': /There is no accepted domain to compare/,
  '/changes': /No change matches the filters/,
}

/** They name something that does not exist, which the API answers with 404. */
const isOfNothing = (path: string) => /:(id|domain)/.test(path)

describe('an empty installation', { skip }, () => {
  let console: ConsoleTest
  let opened: ConsolePage

  before(async () => {
    console = await startConsole(['--no-demo'])
    opened = await console.open('/none')
  })
  after(() => console?.close())

  for (const path of viewPaths)
    test(`${path} says what is missing, and is accessible`, async () => {
      const { page, faults, assertAccessible } = opened
      faults.length = 0
      await visit(page, addressOf(path, [[/:id/, '01ARZ3NDEKTSV4RRFFQ69G5FAV']]))
      await whenRead(page)
      const text = emptyTexts[path]
      assert.ok(text, 'add what the new view says')
      const main = page.locator('main')
      assert.ok((await main.getByText(text).count()) > 0, (await main.textContent()) ?? '')
      assert.equal(await page.getByText(/Cannot (read|show)/).count(), 0)
      assert.deepEqual(isOfNothing(path) ? [] : faults, [])
      await assertAccessible()
    })

  describe('with a connector of 500 names', () => {
    const names = Array.from({ length: 500 }, (_, index) => `partner-${index}.with-a-long-name.example`)
    const domain = names[0] ?? ''
    let decided: string

    /** @returns the id of a message that the connector decided */
    async function sendDecided(): Promise<string> {
      const { endpoints } = console.runner
      const content = `From: <a@${domain}>\r\nSubject: Offer\r\n\r\nIt is valid until Friday.\r\n`
      // The ingress may still have the connectors of a moment ago.
      const { id } = await waitForResult(async () => {
        await sendMessage(endpoints, `a@${domain}`, 'ann@ours.example', content).catch(() => null)
        const { body } = await console.api('GET', `/messages?sender=a@${domain}`)
        return (body as { items: { id: string }[] }).items[0] ?? null
      })
      return id
    }

    before(async () => {
      await console.api('PUT', '/accepted-domains/ours.example', {})
      const { status, body } = await console.api('POST', '/inbound-connectors', {
        name: 'From five hundred partners',
        connectorType: 'Partner',
        senderDomains: names,
        requireTls: true,
        onViolation: 'Defer',
      })
      assert.equal(status, 201, JSON.stringify(body))
      decided = await sendDecided()
    })

    const views: Readonly<Record<string, string>> = {
      '/partners': domain,
      [`/partners/${domain}`]: domain,
      '/changes': 'From five hundred partners',
      '/queues': 'From five hundred partners',
      '/messages': domain,
      '/messages/:id': 'From five hundred partners',
    }
    for (const [view, text] of Object.entries(views))
      test(`${view} fits 1280 and 390 pixels, with few of the names`, async () => {
        const { page, faults, assertNoFaults } = opened
        faults.length = 0
        await visit(page, view.replace(':id', decided))
        await page.getByText(text).first().waitFor()
        for (const width of [1280, 390]) {
          await page.setViewportSize({ width, height: 900 })
          await whenRead(page)
          const [excess, height] = await page.evaluate<[number, number]>(
            '[document.documentElement.scrollWidth - innerWidth, document.querySelector("main").scrollHeight]',
          )
          assert.ok(excess <= 0, `wider by ${excess} px at ${width}`)
          assert.ok(height < 8000, `${height} px high at ${width}`)
        }
        assertNoFaults()
      })
  })
})
