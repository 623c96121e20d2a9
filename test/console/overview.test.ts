/** The overview, with the mail of the demo. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ObservedCertificatesList } from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole } from '../support/console.ts'

describe('the overview', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  test('shows what waits, what was refused and what is in the clear', async () => {
    const { page, assertNoFaults } = await console.open('')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByText('None expires within 30 days').waitFor()
    const text = (await page.locator('main').textContent()) ?? ''
    for (const expected of [
      'InboundTlsRequired',
      'In the clear: ',
      '2 of 5 pairs of connectors have warnings',
    ])
      assert.ok(text.includes(expected), text)
    assertNoFaults()
  })

  const leads: [name: string | RegExp, address: RegExp, heading: string | RegExp][] = [
    ['2 recipients', /\/queues\?kind=Deferred$/, 'Groups (2)'],
    ['2 of 5', /\/partners$/, 'Pairs of connectors (5)'],
    ['vault.example', /\/partners\/vault\.example$/, 'vault.example'],
    ['the report since yesterday', /\/reports\/rejected\?days=2&sort=reason$/, 'Refused in session'],
  ]
  for (const [name, address, heading] of leads)
    test(`the number ${name} leads to its list`, async () => {
      const { page, assertNoFaults } = await console.open('')
      await page.getByRole('link', { name, exact: true }).first().click()
      await page.waitForURL(address)
      await page.getByRole('heading', { name: heading }).first().waitFor()
      assertNoFaults()
    })

  test('lists certificates by the days that are left', async () => {
    const { body } = await console.api('GET', '/certificates/observed')
    const bank = (body as ObservedCertificatesList).items.find(
      ({ connector }) => connector?.name === 'To the bank',
    )
    assert.ok(bank?.certificates[0] && bank.connector)
    const expiring = { ...bank, certificates: [{ ...bank.certificates[0], use: 'InUse', daysLeft: 9 }] }
    const { page, assertAccessible } = await console.open('')
    await page.route('**/certificates/observed*', (route) =>
      route.fulfill({ json: { items: [expiring], nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText('1 in use expire within 30 days').waitFor()
    await page.getByText('9 days').waitFor()
    await page.getByText('3 of 5').waitFor()
    await assertAccessible()
    await page.getByRole('link', { name: 'To the bank' }).click()
    await page.getByRole('heading', { level: 1, name: 'bank.example' }).waitFor()
  })

  test('counts the last 24 hours also when it stays open', async () => {
    const { page } = await console.open('', { prepare: (each) => each.clock.install() })
    const hourMs = 3_600_000
    const later = page.waitForRequest((request) => {
      const url = new URL(request.url())
      const from = Date.parse(url.searchParams.get('from') ?? '')
      return url.pathname.endsWith('/reports/rejected') && from > Date.now() - 20 * hourMs
    })
    await page.clock.fastForward(6 * hourMs)
    await later
  })

  test('lists all alarms with their states', async () => {
    const { page } = await console.open('')
    await page.getByRole('button', { name: /^All alarms/ }).click()
    await page.getByText('Quiet', { exact: true }).first().waitFor()
  })

  test('is accessible', async () => {
    const { page, assertAccessible } = await console.open('')
    await page.getByText('pairs of connectors have warnings').waitFor()
    await assertAccessible()
  })
})
