/** A new installation without connectors, domains and mail; and a connector with 500 names. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ConsoleTest, skip, startConsole } from '../support/console.ts'
import { addressOf, viewPaths } from '../support/console-views.ts'

/** What a view says that has nothing to show. */
const emptyTexts: Readonly<Record<string, RegExp>> = {
  '/': /No mail waits/,
  '/messages': /No messages match/,
  '/messages/:id': /There is no such message/,
  '/partners': /connector/i,
  '/partners/:name': /No connector names bank\.example/,
  '/queues': /Mail appears here when a connector holds it/,
  '/reports': /Reports/,
  '/reports/:name': /No entries match the filters/,
  '/changes': /No change matches the filters/,
}

describe('an empty installation', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole(['--no-demo'])
  })
  after(() => console?.close())

  for (const path of viewPaths)
    test(`${path} says what is missing, and is accessible`, async (context) => {
      const address = addressOf(path, [[/:id/, '01ARZ3NDEKTSV4RRFFQ69G5FAV']])
      const { page, faults, assertAccessible } = await console.open(address)
      context.after(() => page.context().close())
      const text = emptyTexts[path]
      assert.ok(text, 'add what the new view says')
      await page.locator('main').getByText(text).first().waitFor()
      assert.equal(await page.getByText(/Cannot (read|show)/).count(), 0)
      // A message that does not exist is answered with 404.
      assert.deepEqual(path === '/messages/:id' ? [] : faults, [])
      await assertAccessible()
    })

  describe('with a connector of 500 names', () => {
    const names = Array.from({ length: 500 }, (_, index) => `partner-${index}.with-a-long-name.example`)

    before(async () => {
      const { status, body } = await console.api('POST', '/inbound-connectors', {
        name: 'From five hundred partners',
        connectorType: 'Partner',
        senderDomains: names,
        requireTls: true,
      })
      assert.equal(status, 201, JSON.stringify(body))
    })

    for (const view of ['/partners', `/partners/${names[0]}`, '/changes'])
      for (const width of [1280, 390])
        test(`${view} fits ${width} pixels, with few of the names`, async (context) => {
          const { page, assertNoFaults } = await console.open(view, { viewport: { width, height: 900 } })
          context.after(() => page.context().close())
          await page
            .getByText(view === '/changes' ? 'From five hundred partners' : (names[0] ?? ''))
            .first()
            .waitFor()
          const [excess, height] = await page.evaluate<[number, number]>(
            '[document.documentElement.scrollWidth - innerWidth, document.querySelector("main").scrollHeight]',
          )
          assert.ok(excess <= 0, `wider by ${excess} px`)
          assert.ok(height < 8000, `${height} px high`)
          assertNoFaults()
        })
  })
})
