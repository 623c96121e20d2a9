/** Mail that waits, reports and changes, with the mail and the connectors of the demo. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { type ConsoleTest, skip, startConsole } from '../support/console.ts'
import { waitForResult } from '../support/local/runner.ts'

describe('held and deferred mail, reports and changes', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const api = async <T>(path: string): Promise<T> => (await console.api('GET', path)).body as T
  const messageTo = async (recipient: string): Promise<string> => {
    const { items } = await api<{ items: { id: string }[] }>(`/messages?recipient=${recipient}`)
    return items[0]?.id as string
  }
  const stateOf = async (id: string): Promise<string | undefined> =>
    (await api<{ recipients: { state: string }[] }>(`/messages/${id}`)).recipients[0]?.state
  const requestsFor = async (id: string) =>
    (await api<{ events: { kind: string; request?: string }[] }>(`/messages/${id}/events`)).events.filter(
      ({ kind }) => kind === 'Requested',
    )

  const selectClinic = (page: Page) =>
    page.getByRole('checkbox', { name: 'Select clinic.example, OutboundTlsNotMet' }).check()
  /** The label of the confirmation is its heading. */
  const modalOf = (page: Page, title: string) => page.getByLabel(title, { exact: true })
  const confirm = async (page: Page, title: string) => {
    const modal = modalOf(page, title)
    await modal.getByRole('button', { name: title }).click()
    await modal.waitFor({ state: 'hidden' })
  }

  test('lists the mail that waits, with why and until when', async () => {
    const { page, assertNoFaults } = await console.open('/queues')
    await page.getByRole('heading', { name: 'Groups (2)' }).waitFor()
    const text = (await page.getByRole('table').textContent()) ?? ''
    for (const expected of ['museum.example', 'clinic.example', 'To the clinic', '23 h'])
      assert.ok(text.includes(expected), text)
    assertNoFaults()
  })

  test('keeps the filters in the address', async () => {
    const { page } = await console.open('/queues')
    await page.getByRole('searchbox', { name: 'Partner' }).fill('museum.example')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Groups (1)' }).waitFor()
    assert.match(page.url(), /\?partner=museum\.example$/)
    await page.goto(page.url().replace('museum', 'absent'))
    await page.getByText('No mail that matches the filters waits.').waitFor()
  })

  test('finds mail that no connector decided about, and mail that is deferred', async () => {
    const { page, assertNoFaults } = await console.open('/queues')
    await page.getByRole('link', { name: 'no connector' }).click()
    await page.getByRole('heading', { name: 'Groups (1)' }).waitFor()
    assert.match(page.url(), /\?connector=none$/)
    await page.getByRole('link', { name: 'museum.example' }).waitFor()
    await page.goto(page.url().replace('connector=none', 'kind=Held'))
    await page.getByText('No mail that matches the filters waits.').waitFor()
    await page.goto(page.url().replace('Held', 'Deferred'))
    await page.getByRole('heading', { name: 'Groups (2)' }).waitFor()
    assertNoFaults()
  })

  test('retries the mail of a partner', async () => {
    const id = await messageTo('dr@clinic.example')
    const { page, assertNoFaults } = await console.open('/queues?partner=clinic.example')
    await selectClinic(page)
    await page.getByRole('button', { name: 'Retry now' }).click()
    await page.getByText('The mail of 1 recipient is decided now').waitFor()
    await confirm(page, 'Retry now')
    await page.getByText('Requested a retry of the mail of 1 recipient in 1 message.').waitFor()
    const [requested] = await waitForResult(async () => {
      const events = await requestsFor(id)
      return events.length > 0 ? events : null
    })
    assert.equal(requested?.request, 'Retry')
    assertNoFaults()
  })

  test('releases nothing that no inbound connector holds', async () => {
    const { page } = await console.open('/queues')
    await selectClinic(page)
    assert.ok(await page.getByRole('button', { name: 'Release' }).isDisabled())
  })

  test('releases held mail, request by request, and says how far it came when one fails', async () => {
    const { page } = await console.open('/reports')
    const list = await api<{ items: object[] }>('/queues')
    const held = {
      ...list.items[0],
      partner: 'bank.example',
      reason: 'InboundTlsRequired',
      connector: null,
      recipients: 3,
    }
    const other = { ...held, connector: '01M8RBXTMZJ5959H36TZA78MZ3', recipients: 4 }
    await page.route('**/queues', (route) => route.fulfill({ json: { ...list, items: [held, other] } }))
    const bodies: unknown[] = []
    let fails = true
    await page.route('**/queues/release*', (route, request) => {
      bodies.push(request.postDataJSON())
      if (!request.url().includes('cursor'))
        return route.fulfill({
          status: 202,
          json: { requested: 5, messages: 2, nextCursor: 'next', skipped: [] },
        })
      if (fails) return route.fulfill({ status: 503, json: { detail: 'The table is busy.' } })
      return route.fulfill({
        status: 202,
        json: { requested: 2, messages: 1, nextCursor: null, skipped: [] },
      })
    })
    await page.getByRole('link', { name: 'Held and deferred' }).click()
    await page
      .getByRole('checkbox', { name: /Select bank/ })
      .first()
      .check()
    await page.getByRole('button', { name: 'Release' }).click()
    const modal = modalOf(page, 'Release')
    await modal.getByText('The mail of 3 recipients is delivered despite the violation').waitFor()
    await modal.getByRole('textbox').fill('Agreed with the bank')
    await modal.getByRole('button', { name: 'Release' }).click()
    await modal.getByText('Requested for 5 recipients, then it failed').waitFor()
    await modal.getByText('The table is busy.').waitFor()
    fails = false
    await modal.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Requested the release of the mail of 7 recipients in 3 messages.').waitFor()
    assert.deepEqual(bodies[0], {
      filter: {
        ...{ partner: 'bank.example', direction: 'Originating', reason: 'InboundTlsRequired' },
        connector: 'none',
      },
      reason: 'Agreed with the bank',
    })
    assert.equal(bodies.length, 4)
  })

  test('drops nothing without a reason', async () => {
    const { page } = await console.open('/queues')
    const drops: string[] = []
    page.on('request', (request) => {
      if (request.method() === 'POST') drops.push(request.url())
    })
    await selectClinic(page)
    await page.getByRole('button', { name: 'Drop' }).click()
    const modal = modalOf(page, 'Drop')
    await modal.getByText('bounces now without a DSN').waitFor()
    await modal.getByRole('button', { name: 'Drop' }).click()
    await modal.getByText('Give a reason.').waitFor()
    await modal.getByRole('button', { name: 'Cancel' }).click()
    await modal.waitFor({ state: 'hidden' })
    assert.deepEqual(drops, [])
  })

  test('returns the mail of a partner to its sender', async () => {
    const id = await messageTo('dr@clinic.example')
    const { page, assertNoFaults } = await console.open('/queues')
    await selectClinic(page)
    await page.getByRole('button', { name: 'Return to sender' }).click()
    const modal = modalOf(page, 'Return to sender')
    await modal.getByText('The mail of 1 recipient bounces now: its senders get a failure DSN').waitFor()
    await modal.getByRole('textbox').fill('The clinic has closed')
    await confirm(page, 'Return to sender')
    await page.getByText('Requested the return of the mail of 1 recipient in 1 message.').waitFor()
    await waitForResult(async () => ((await stateOf(id)) === 'Bounced' ? true : null))
    await page.getByRole('heading', { name: 'Groups (1)' }).waitFor()
    assertNoFaults()
  })

  test('says that nothing can be read when the API fails', async () => {
    const { page } = await console.open('/reports')
    await page.route('**/queues', (route) => route.fulfill({ status: 503, body: '{}' }))
    await page.getByRole('link', { name: 'Held and deferred' }).click()
    await page.getByText('Cannot read the mail that waits').waitFor({ timeout: 20_000 })
    await page.getByRole('button', { name: 'Try again' }).waitFor()
  })

  test('offers no act to a reader', async () => {
    const { page } = await console.open('/reports')
    await page.route('**/caller', (route) => route.fulfill({ json: { name: 'ann', roles: ['read'] } }))
    await page.goto(page.url().replace('/reports', '/queues'))
    await page.getByRole('heading', { name: 'Groups' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Retry now' }).count(), 0)
    assert.equal(await page.getByRole('checkbox').count(), 0)
  })

  test('opens a report, and a message that it counts', async () => {
    const { page, assertNoFaults } = await console.open('/reports')
    assert.equal(
      (await page
        .getByRole('listitem')
        .getByRole('link', { name: /report|message|in|status|exchange/i })
        .count()) >= 9,
      true,
    )
    await page.getByRole('link', { name: 'Messages in transit security' }).click()
    await page.getByRole('heading', { name: 'Messages in transit security' }).waitFor()
    await page.getByRole('application', { name: /by day/ }).waitFor()
    const row = page.getByRole('row').filter({ hasText: 'paper.example' }).filter({ hasText: 'Outbound' })
    await row.getByRole('link').click()
    await page.waitForURL(`**/messages/${await messageTo('bob@paper.example')}`)
    assertNoFaults()
  })

  test('opens the refusals that a report counts, of today and of last week', async () => {
    const { page, assertNoFaults } = await console.open('/reports/rejected')
    await page
      .getByRole('button', { name: /^\d messages$/ })
      .first()
      .click()
    await page.getByRole('dialog').getByRole('link').first().click()
    await page.waitForURL(/\/messages\/\w{26}$/)
    await page.getByRole('heading', { name: 'Refused in the session' }).waitFor()
    assertNoFaults()
    const { samples } = await api<{ samples: string[][] }>('/reports/rejected')
    const old = await console.open(`/messages/${samples.at(-1)?.[0]}`)
    await old.page.getByRole('heading', { name: 'Refused in the session' }).waitFor()
    await old.assertAccessible()
  })

  test('says whether summaries of reports are sent by mail', async () => {
    const { page, assertNoFaults } = await console.open('/reports')
    await page.getByText('No summary is sent by mail.').waitFor()
    assertNoFaults()
  })

  test('keeps the filters and the order of a report in the address', async () => {
    const { page } = await console.open(
      '/reports/in-transit?days=30&partner=paper.example&zone=Europe/Berlin',
    )
    await page.getByText('Last 30 days').waitFor()
    await page.getByRole('heading', { name: 'Rows (2)' }).waitFor()
    await page.getByRole('columnheader', { name: 'Direction' }).getByRole('button').click()
    await page.waitForURL(/sort=direction/)
  })

  test('stores a report as a file', async () => {
    const { page, assertNoFaults } = await console.open('/reports/in-transit')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download CSV' }).click(),
    ])
    assert.match(download.suggestedFilename(), /^in-transit-\d{4}-\d{2}-\d{2}\.csv$/)
    assert.match(await readFile(await download.path(), 'utf8'), /^date,direction,domain,.*,samples\r\n/)
    assertNoFaults()
  })

  test('shows a report of ten thousand rows in pages', async () => {
    const { page } = await console.open('/reports')
    const report = await api<{ rows: object[]; samples: string[][] }>('/reports/in-transit')
    const rows = Array.from({ length: 10_000 }, (_, index) => ({ ...report.rows[0], sent: index }))
    await page.route('**/reports/in-transit?*', (route) =>
      route.fulfill({ json: { ...report, rows, samples: rows.map(() => []) } }),
    )
    await page.getByRole('link', { name: 'Messages in transit security' }).click()
    await page.getByRole('heading', { name: 'Rows (10,000)' }).waitFor()
    await page.getByRole('columnheader', { name: 'Sent' }).getByRole('button').click()
    await page.getByRole('columnheader', { name: 'Sent' }).getByRole('button').click()
    await page.getByRole('cell', { name: '9,999' }).waitFor()
    await page.getByRole('button', { name: '200' }).click()
    await page.waitForURL(/page=200/)
    await page.getByRole('cell', { name: '49', exact: true }).waitFor()
  })

  test('shows who changed what, before and after', async () => {
    const { items } = await api<{ items: { id: string; name: string }[] }>('/outbound-connectors')
    const id = items.find(({ name }) => name === 'To the clinic')?.id
    const changed = await fetch(`${console.runner.endpoints.api}/outbound-connectors/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json', 'if-match': '*' },
      body: JSON.stringify({ comment: 'Agreed by telephone' }),
    })
    assert.equal(changed.status, 200)
    const { page, assertNoFaults } = await console.open('/changes')
    await page.getByRole('heading', { name: 'Log (8)' }).waitFor()
    const row = page.getByRole('row').nth(1)
    for (const expected of ['To the clinic', 'Changed', 'user/local', 'empty', 'Agreed by telephone'])
      assert.ok((await row.textContent())?.includes(expected), expected)
    await page.getByRole('button', { name: /fields of To the vault/ }).click()
    await page.getByText('mx.vault.example').waitFor()
    await page
      .getByText(/certificate with SHA-256 [0-9a-f]{64}/)
      .filter({ visible: true })
      .waitFor()
    await page.getByRole('searchbox', { name: 'Connector or domain' }).fill('ours.example')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Log (1)' }).waitFor()
    assert.match(page.url(), /key=ours\.example/)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      (async () => {
        await page.getByRole('button', { name: 'Download what is shown' }).click()
        await page.getByRole('menuitem', { name: 'JSON' }).click()
      })(),
    ])
    assert.equal(JSON.parse(await readFile(await download.path(), 'utf8')).length, 1)
    assertNoFaults()
  })

  for (const view of ['/queues', '/reports', '/reports/connector-tls', '/changes'])
    test(`${view} is accessible`, async () => {
      const { assertAccessible } = await console.open(view)
      await assertAccessible()
    })

  test('the confirmation of an act is accessible', async () => {
    const { page, assertAccessible } = await console.open('/queues')
    await page.getByRole('checkbox', { name: /Select museum/ }).check()
    await page.getByRole('button', { name: 'Drop' }).click()
    await modalOf(page, 'Drop').getByText('The mail of 1 recipient').waitFor()
    await assertAccessible()
  })
})
