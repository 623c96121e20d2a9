/** The overview, with the mail of the demo. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ConsoleTest, skip, startConsole } from '../support/console.ts'

describe('the overview', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  test('shows what waits, what was refused and what is in the clear', async () => {
    const { page, assertNoFaults } = await console.open('')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    const text = (await page.locator('main').textContent()) ?? ''
    for (const expected of ['InboundTlsRequired', 'In the clear: 1', 'None expires within 30 days'])
      assert.ok(text.includes(expected), text)
    assertNoFaults()
  })

  for (const colorScheme of ['light', 'dark'] as const)
    test(`is accessible in ${colorScheme} mode`, async () => {
      const { assertAccessible } = await console.open('', { colorScheme })
      await assertAccessible()
    })
})
