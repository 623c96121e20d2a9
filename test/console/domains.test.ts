/** Domains: add one, edit it, its recipients, its records, and remove it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import type { AcceptedDomain, DomainDns } from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole, visit, whenRead } from '../support/console.ts'

const added = 'new.example'

describe('domains', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const read = async (domain: string) =>
    (await console.api('GET', `/accepted-domains/${domain}`)) as {
      status: number
      body: AcceptedDomain
    }
  const recipientsOf = async (domain: string): Promise<string[]> =>
    ((await console.api('GET', `/accepted-domains/${domain}/recipients`)).body as { items: string[] }).items
  /** Writes a list of recipients as another client does. */
  const writeRecipients = async (domain: string, addresses: string[]) => {
    const { version } = (await read(domain)).body
    const response = await fetch(`${console.runner.endpoints.api}/accepted-domains/${domain}/recipients`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'if-match': `"${version}"` },
      body: JSON.stringify({ addresses }),
    })
    assert.equal(response.status, 200)
  }
  const changeComment = async (domain: string, comment: string) => {
    const { version } = (await read(domain)).body
    const response = await fetch(`${console.runner.endpoints.api}/accepted-domains/${domain}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': `"${version}"` },
      body: JSON.stringify({ comment }),
    })
    assert.equal(response.status, 200)
  }
  const openDomain = async (domain: string) => {
    const opened = await console.open(`/domains/${domain}`)
    await opened.page.getByRole('heading', { level: 1, name: domain }).waitFor()
    await opened.page.getByRole('button', { name: 'Edit' }).waitFor()
    return opened
  }
  const edit = async (page: Page) => {
    await page.getByRole('button', { name: 'Edit' }).click()
    return page.getByRole('dialog')
  }

  test('lists the domain with what DNS says of it', async () => {
    const { page, assertNoFaults } = await console.open('/domains')
    const row = page.getByRole('row').filter({ hasText: 'ours.example' })
    await row.getByText('Missing: DKIM').waitFor({ timeout: 60_000 })
    await page.getByRole('searchbox', { name: 'Filter domains' }).fill('absent')
    await page.getByText('No domain matches “absent”.').waitFor()
    assert.match(page.url(), /q=absent/)
    assertNoFaults()
  })

  test('is accessible', async () => {
    const { page, assertAccessible } = await console.open('/domains')
    await page.getByText('Missing: DKIM').waitFor({ timeout: 60_000 })
    await assertAccessible()
    await page.getByRole('link', { name: 'ours.example' }).click()
    await page.getByText('No selector exists').waitFor()
    await assertAccessible()
    const dialog = await edit(page)
    await dialog.getByText('Which addresses of the domain').waitFor()
    await assertAccessible()
  })

  test('shows each record with its verdict, what was found, and what to paste', async () => {
    const { page, assertNoFaults } = await console.open('/domains/ours.example', {
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const table = page.getByRole('table', { name: 'Checks of DNS records' })
    const spf = table.getByRole('row').filter({ hasText: 'SPF' })
    await spf.getByText('"v=spf1 include:amazonses.com -all"').waitFor({ timeout: 60_000 })
    await spf.getByText('OK', { exact: true }).waitFor()
    await table.getByText('Missing').first().waitFor()
    await page.getByRole('button', { name: 'Copy CAA of ours.example' }).click()
    await page.getByText('Copied').waitFor()
    assert.equal(
      await page.evaluate('navigator.clipboard.readText()'),
      'ours.example. IN CAA 0 issue "amazon.com"',
    )
    await page.getByRole('button', { name: 'All records to publish' }).click()
    await page.getByText('ours.example. IN MX 10 mail.example.com.').waitFor()
    await page.getByText('version: STSv1').last().waitFor()
    const checks = { current: 0 }
    page.on('request', (request) => {
      if (request.url().endsWith('/dns')) checks.current += 1
    })
    const checked = page.waitForResponse((response) => response.url().endsWith('/dns'))
    await page.getByRole('button', { name: 'Check again' }).click()
    await checked
    await whenRead(page)
    assert.equal(checks.current, 1)
    assertNoFaults()
  })

  test('adds a domain, and says what happens to its mail', async () => {
    const { page, assertNoFaults } = await console.open('/domains')
    await page.getByRole('button', { name: 'Add a domain' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.getByText('Give a domain, such as example.com.').waitFor()
    await dialog.getByRole('textbox', { name: 'Domain' }).fill('New.Example')
    await dialog.getByText('The gateway accepts mail for New.Example within a second.').waitFor()
    assert.ok(await dialog.getByRole('radio', { name: /^List/ }).isDisabled())
    await dialog.getByRole('textbox', { name: 'Comment' }).fill('Bought in 2026')
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: added }).waitFor()
    const { status, body } = await read(added)
    assert.deepEqual([status, body.recipients, body.comment], [200, 'Any', 'Bought in 2026'])
    assertNoFaults()
  })

  test('says at the field why a name cannot be added', async () => {
    const { page } = await console.open('/domains')
    await page.getByRole('button', { name: 'Add a domain' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Domain' }).fill('*.example')
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.getByText('Wildcards are not allowed here.').first().waitFor()
    await dialog.getByRole('textbox', { name: 'Domain' }).fill('new..ours.example')
    await dialog.getByText('“new..ours.example” has two dots in a row.').first().waitFor()
    assert.equal(await dialog.locator('input[aria-invalid="true"]').count(), 1)
    await dialog.getByRole('textbox', { name: 'Domain' }).fill('ours.example')
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.getByText('ours.example is already accepted.').first().waitFor()
    await dialog.getByRole('link', { name: 'Open its page' }).click()
    await page.getByRole('heading', { level: 1, name: 'ours.example' }).waitFor()
  })

  test('adds recipients, searches them, and uses the list', async () => {
    const { page, assertNoFaults } = await openDomain(added)
    await page.getByRole('button', { name: 'Add addresses' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Addresses' }).fill('ann@new.example, ben\ncarl@new.example')
    await dialog.getByRole('button', { name: 'Add 3 addresses' }).click()
    await page.getByText('3 addresses added to the list').waitFor()
    assert.deepEqual(await recipientsOf(added), ['ann@new.example', 'ben@new.example', 'carl@new.example'])
    await page.getByText('The list is kept, but not used: recipients is Any.').waitFor()

    const form = await edit(page)
    await form.getByRole('radio', { name: /^List/ }).check()
    await form
      .getByText('refuses each recipient who is not among the 3 addresses of the list: 550 5.1.1')
      .waitFor()
    await form.getByRole('button', { name: 'Save' }).click()
    await page.getByText(`${added} is saved`).waitFor()
    assert.equal((await read(added)).body.recipients, 'List')

    await page.getByRole('searchbox', { name: 'Search' }).fill('ben')
    await page.keyboard.press('Enter')
    await page.getByText('carl@new.example').waitFor({ state: 'detached' })
    assert.match(page.url(), /recipient=ben/)
    await page.getByText('ben@new.example').waitFor()
    assertNoFaults()
  })

  test('removes recipients, but not the last ones of a list that is used', async () => {
    const { page } = await openDomain(added)
    const remove = async (...names: string[]) => {
      for (const name of names)
        await page.getByRole('checkbox', { name: `Select ${name}@new.example` }).check()
      await page.getByRole('button', { name: 'Remove addresses' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByText('refuses mail for them: 550 5.1.1').waitFor()
      await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
      return dialog
    }
    await remove('carl')
    await page.getByText('1 address removed from the list').waitFor()
    assert.deepEqual(await recipientsOf(added), ['ann@new.example', 'ben@new.example'])
    const dialog = await remove('ann', 'ben')
    await dialog.getByText('with none all mail would be refused').waitFor()
    assert.equal((await recipientsOf(added)).length, 2)
  })

  test('names the addresses of a list that the API refuses', async () => {
    const { page } = await openDomain(added)
    await page.getByRole('button', { name: 'Add addresses' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Addresses' }).fill('dora@other.example')
    await dialog.getByRole('button', { name: 'Add 1 address' }).click()
    await dialog.getByText('add[0]').waitFor()
  })

  test('does not overwrite a change that another client has made meanwhile', async () => {
    const { page } = await openDomain(added)
    const form = await edit(page)
    await changeComment(added, 'Changed by a script')
    await form.getByRole('radio', { name: /^Any/ }).check()
    await form.getByRole('button', { name: 'Save' }).click()
    await form.getByText('Another person or program has changed this domain').waitFor()
    await form.getByRole('button', { name: 'Close', exact: true }).click()
    await page.getByText('Changed by a script').waitFor()
    const { body } = await read(added)
    assert.deepEqual([body.recipients, body.comment], ['List', 'Changed by a script'])
  })

  test('pages and searches a list of several thousand recipients', async () => {
    const addresses = Array.from({ length: 3000 }, (_, index) => `user${String(index).padStart(4, '0')}`)
    await writeRecipients(added, addresses)
    const { page } = await openDomain(added)
    await page.getByRole('heading', { name: 'List of recipients (3,000)' }).waitFor()
    await page.getByText('user0000@new.example').waitFor()
    await page
      .getByRole('button', { name: 'Page 60' })
      .or(page.getByRole('button', { name: '60' }))
      .first()
      .click()
    await page.getByText('user2999@new.example').waitFor()
    await page.getByRole('searchbox', { name: 'Search' }).fill('user2500')
    await page.keyboard.press('Enter')
    await page.getByText('user2500@new.example').waitFor()
    await page.getByText('user2999@new.example').waitFor({ state: 'detached' })
  })

  test('removes a domain after its name is typed, and says what happens to its mail', async () => {
    const { page, assertNoFaults } = await openDomain(added)
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('refuses every recipient at new.example: 550 5.7.64 Relay access denied').waitFor()
    await dialog.getByText('The list of 3000 addresses is deleted.').waitFor()
    const remove = dialog.getByRole('button', { name: 'Remove', exact: true })
    assert.ok(await remove.isDisabled())
    await dialog.getByRole('textbox', { name: 'Domain' }).fill(added)
    await remove.click()
    await page.getByRole('heading', { level: 1, name: 'Domains' }).waitFor()
    await page.getByRole('link', { name: 'ours.example' }).waitFor()
    assert.equal((await read(added)).status, 404)
    assert.equal(await page.getByRole('link', { name: added }).count(), 0)
    assertNoFaults()
  })

  test('says that a domain is not accepted', async () => {
    const { page } = await console.open(`/domains/${added}`)
    await page.getByText('This is not an accepted domain').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Edit' }).count(), 0)
  })

  test('offers a reader no act', async () => {
    const { page } = await openDomain('ours.example')
    await page.route('**/caller', (route) => route.fulfill({ json: { name: 'reader', roles: ['operate'] } }))
    await readAgain(page)
    await page.getByText('Any: every address is accepted').waitFor()
    for (const act of ['Edit', 'Remove', 'Add addresses', 'Remove addresses'])
      assert.equal(await page.getByRole('button', { name: act, exact: true }).count(), 0, act)
    await page.goto(page.url().replace('/ours.example', ''))
    await page.getByRole('link', { name: 'ours.example' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Add a domain' }).count(), 0)
  })

  test('says that the records could not be checked, and checks them again', async () => {
    const { page } = await openDomain('ours.example')
    const state = { fails: true }
    await page.route('**/dns', (route) =>
      state.fails
        ? route.fulfill({ status: 503, json: { detail: 'The check is not available.' } })
        : route.continue(),
    )
    await readAgain(page)
    await page.getByText('The records could not be checked').waitFor()
    await page.getByText('The check is not available.').waitFor()
    state.fails = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('No selector exists').waitFor({ timeout: 60_000 })
  })

  const domainOf = (index: number): AcceptedDomain => ({
    domain: `d${String(index).padStart(3, '0')}.example`,
    recipients: 'Any',
    comment: '',
    createdAt: '2026-02-03T12:00:00.000Z',
    updatedAt: '2026-02-03T12:00:00.000Z',
    version: 1,
  })

  test('of five hundred domains checks only those on the screen, two at a time', async () => {
    const { page } = await console.open('/conformance')
    const dns: DomainDns = {
      domain: 'x.example',
      hosts: [],
      records: [],
      policy: { url: 'https://mta-sts.x.example/', id: '1', text: '' },
      checks: [],
    }
    const checks = { running: 0, peak: 0, domains: new Set<string>() }
    await page.route('**/accepted-domains?*', (route) => {
      const start = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
      const items = Array.from({ length: Math.min(200, 500 - start) }, (_, index) => domainOf(start + index))
      const nextCursor = start + 200 < 500 ? String(start + 200) : null
      return route.fulfill({ json: { items, nextCursor } })
    })
    await page.route('**/dns', async (route) => {
      checks.running += 1
      checks.peak = Math.max(checks.peak, checks.running)
      checks.domains.add(route.request().url())
      await new Promise((resolve) => setTimeout(resolve, 20))
      checks.running -= 1
      await route.fulfill({ json: dns })
    })
    await visit(page, '/domains')
    await page.getByRole('heading', { name: 'Accepted domains (500)' }).waitFor()
    await page.getByText('All records are as expected').nth(8).waitFor()
    assert.equal(checks.peak, 2)
    assert.ok(checks.domains.size <= 25, String(checks.domains.size))
    await page.getByRole('searchbox', { name: 'Filter domains' }).fill('d499')
    const row = page.getByRole('row').filter({ hasText: 'd499.example' })
    await row.getByText('All records are as expected').waitFor()
    assert.ok(checks.domains.size <= 60, String(checks.domains.size))
    assert.equal(checks.peak, 2)
  })

  test('without a domain says what one is, and offers to add the first', async () => {
    const { page, assertAccessible } = await console.open('/domains')
    await page.route('**/accepted-domains?*', (route) =>
      route.fulfill({ json: { items: [], nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText('An accepted domain is a domain whose mail the organisation receives.').waitFor()
    await page.getByRole('button', { name: 'Add a domain' }).waitFor()
    await assertAccessible()
  })
})
