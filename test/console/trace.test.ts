/** The message trace and the page of a message, with the mail of the demo. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { type ConsoleTest, skip, startConsole, visit, whenRead } from '../support/console.ts'

/** Chooses a filter as a person does: its name, then its value. */
async function filterBy(page: Page, label: string, value: string): Promise<void> {
  const input = page.getByRole('combobox', { name: 'Filter messages' })
  await input.fill(`${label} ${label === 'Size' ? '>=' : '='} ${value}`)
  await input.press('Enter')
}

const mainText = async (page: Page): Promise<string> => (await page.locator('main').textContent()) ?? ''

describe('the message trace', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const idOf = async (recipient: string): Promise<string> => {
    const { body } = await console.api('GET', `/messages?recipient=${recipient}`)
    return (body as { items: { id: string }[] }).items[0]?.id ?? ''
  }

  test('finds what was refused, by its state', async () => {
    const { page, assertNoFaults } = await console.open('/messages')
    await filterBy(page, 'State', 'Rejected')
    await page
      .getByRole('cell', { name: /Must issue a STARTTLS command first/ })
      .first()
      .waitFor()
    assert.match(page.url(), /state=Rejected/)
    for (const expected of ['Rcpt', 'teller@bank.example', 'InboundTlsRequired'])
      assert.ok((await mainText(page)).includes(expected), expected)
    assertNoFaults()
    await page.getByRole('row', { name: /Rcpt/ }).first().getByRole('link').click()
    await page.getByRole('heading', { name: 'Refused in the session' }).waitFor()
    await page.getByText('so the sender still has it').waitFor()
  })

  test('finds a bounced message by its recipient, and shows why it bounced', async () => {
    const { page, assertNoFaults } = await console.open('/messages')
    await filterBy(page, 'Recipient', 'guard@vault.example')
    const row = page.getByRole('row', { name: /guard@vault\.example/ })
    await row.waitFor()
    assert.equal(await page.getByRole('row', { name: /@/ }).count(), 1)
    await row.getByRole('link').click()
    await page.getByRole('heading', { name: 'guard@vault.example' }).waitFor()
    await page.getByRole('heading', { name: 'Events' }).waitFor()
    const text = await mainText(page)
    for (const expected of [
      'Bounced',
      'TLSv1.3, TLS_AES_256_GCM_SHA384',
      'CN=mailbox.ours.example',
      'To the vault (Outbound, Partner, vault.example): selected',
      'Last decision: Bounce (OutboundTlsNotMet)',
      'Attempt 1: TlsNotMet',
      'mx.vault.example (127.0.0.12): TLSv1.3',
      'Certificate is not trusted: DEPTH_ZERO_SELF_SIGNED_CERT',
      'Failure DSN to the sender: Delivered',
    ])
      assert.ok(text.includes(expected), `${expected} is missing in ${text}`)
    assert.equal(await page.getByRole('button', { name: 'Retry now' }).count(), 0)
    await page.getByRole('link', { name: 'Trace of the DSN' }).click()
    await page.getByText('None: mailflow created the message').waitFor()
    assertNoFaults()
  })

  test('retries a deferred message after it said what happens to the mail', async () => {
    const id = await idOf('clinic.example')
    const { page, assertNoFaults, assertAccessible } = await console.open(`/messages/${id}`)
    await page.getByRole('button', { name: 'Retry now' }).click()
    const question = page.getByRole('dialog', { name: 'Retry now' })
    await question.getByText('Otherwise it waits again').waitFor()
    await assertAccessible()
    await question.getByRole('button', { name: 'Retry now' }).click()
    await page.getByText('Requested a retry for dr@clinic.example.').waitFor()
    await page.getByRole('cell', { name: 'Requested' }).waitFor()
    const { body } = await console.api('GET', `/messages/${id}/events`)
    const { events } = body as { events: { kind: string; request?: string }[] }
    assert.ok(events.some(({ kind, request }) => kind === 'Requested' && request === 'Retry'))
    await page.getByText('Attempt 2: TlsNotMet').waitFor()
    assertNoFaults()
  })

  test('returns a deferred message to its sender', async () => {
    const id = await idOf('museum.example')
    const { page, assertNoFaults } = await console.open(`/messages/${id}`)
    await page.getByRole('button', { name: 'Return now' }).click()
    const question = page.getByRole('dialog', { name: 'Return to the sender now' })
    await question.getByText('The sender gets a DSN').waitFor()
    await question.getByRole('button', { name: 'Return now' }).click()
    await page.getByText('Failure DSN to the sender').waitFor()
    const { body } = await console.api('GET', `/messages/${id}`)
    const [recipient] = (body as { recipients: { state: string; verdict: { reason: string } }[] }).recipients
    assert.deepEqual([recipient?.state, recipient?.verdict.reason], ['Bounced', 'ReturnedByAdministrator'])
    assert.equal(await page.getByRole('button', { name: 'Return now' }).count(), 0)
    assertNoFaults()
  })

  test('sends the reason with a release, and requires one', async () => {
    const id = await idOf('clinic.example')
    const { body: entry } = await console.api('GET', `/messages/${id}`)
    const held = structuredClone(entry as { recipients: [{ state: string; verdict: { reason: string } }] })
    held.recipients[0].state = 'Deferred'
    held.recipients[0].verdict.reason = 'InboundTlsRequired'
    const { page, assertNoFaults } = await console.open('/messages')
    await page.route(`**/messages/${id}`, (route) =>
      route.request().resourceType() === 'fetch' ? route.fulfill({ json: held }) : route.continue(),
    )
    const released = page.waitForRequest(`**/messages/${id}/release`)
    await page.route(`**/messages/${id}/release`, (route) =>
      route.fulfill({ status: 202, json: { requested: 1, recipients: ['dr@clinic.example'] } }),
    )
    await page
      .getByRole('row', { name: /dr@clinic/ })
      .getByRole('link')
      .click()
    await page.getByRole('button', { name: 'Release' }).click()
    const question = page.getByRole('dialog')
    await question.getByText('What the outbound connector requires still applies').waitFor()
    await question.getByRole('button', { name: 'Release' }).click()
    await question.getByText('Enter why the message may pass.').waitFor()
    await question.getByRole('textbox', { name: 'Reason' }).fill('Known sender')
    await question.getByRole('button', { name: 'Release' }).click()
    assert.deepEqual((await released).postDataJSON(), { reason: 'Known sender' })
    await page.getByText('Requested a release for dr@clinic.example.').waitFor()
    assertNoFaults()
  })

  test('offers no act to a role that may not do it', async () => {
    const id = await idOf('clinic.example')
    const { page } = await console.open('')
    await page.route('**/caller', (route) => route.fulfill({ json: { name: 'ann', roles: ['read'] } }))
    await visit(page, `/messages/${id}`)
    await page.getByRole('heading', { name: 'dr@clinic.example' }).waitFor()
    assert.equal(await page.getByRole('button', { name: /now|Release/ }).count(), 0)
  })

  test('shows a message whose events are not recorded yet', async () => {
    const { page } = await console.open(`/messages/${await idOf('vault.example')}`, {
      prepare: (page) =>
        page.route('**/messages/*/events', (route) =>
          route.fulfill({ status: 404, json: { detail: 'There are no events of such a message.' } }),
        ),
    })
    await page.getByText('No events yet. They appear within seconds.').waitFor()
    assert.equal(await page.getByText('Cannot read').count(), 0)
    assert.ok((await page.getByText('guard@vault.example').count()) > 0)
  })

  test('shows the events of a message whose trace has expired', async () => {
    const id = await idOf('vault.example')
    const { page } = await console.open('')
    const problem = { detail: 'There is no message with this id.' }
    await page.route(`**/messages/${id}`, (route) =>
      route.request().resourceType() === 'fetch'
        ? route.fulfill({ status: 404, json: problem })
        : route.continue(),
    )
    await visit(page, `/messages/${id}`)
    await page.getByText('The trace does not have this message').waitFor()
    await page.getByRole('cell', { name: 'Bounced' }).waitFor()
    assert.equal(await page.getByRole('heading', { name: 'How it was received' }).count(), 0)
  })

  test('leads through the pages of the list and back', async () => {
    const { page, assertNoFaults } = await console.open('')
    await page.route('**/messages?*', (route) => {
      const url = new URL(route.request().url())
      url.searchParams.set('limit', '4')
      return route.continue({ url: url.href })
    })
    await page.getByRole('link', { name: 'Message trace' }).click()
    const rows = page.getByRole('row', { name: /@/ })
    const textOfRows = async (): Promise<string> => (await rows.allTextContents()).join()
    await rows.nth(3).waitFor()
    const first = await textOfRows()
    await page.getByRole('button', { name: 'Older', exact: true }).click()
    await page.waitForURL(/cursor=/)
    await rows.nth(3).waitFor()
    const second = await textOfRows()
    assert.notEqual(second, first)
    await page.reload()
    await rows.nth(3).waitFor()
    assert.equal(await textOfRows(), second)
    await page.getByRole('button', { name: 'Newer', exact: true }).click()
    await page.waitForURL((url) => !url.search.includes('cursor='))
    await rows.nth(3).waitFor()
    assert.equal(await textOfRows(), first)
    assertNoFaults()
  })

  test('shows that the API fails, and reads again', async () => {
    const { page } = await console.open('')
    await page.route('**/messages?*', (route) => route.fulfill({ status: 503, json: { detail: 'Busy.' } }))
    await page.getByRole('link', { name: 'Message trace' }).click()
    await page.getByText('Cannot read the list').waitFor()
    await page.unroute('**/messages?*')
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('row', { name: /guard@vault/ }).waitFor()
  })

  test('saves the list as CSV, and filters under a name', async () => {
    const { page, assertNoFaults } = await console.open('/messages?recipient=vault.example')
    const downloads = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download CSV' }).click()
    const csv = await readFile(await (await downloads).path(), 'utf8')
    assert.match(csv, /^origin_timestamp_utc,/)
    assert.match(csv, /guard@vault\.example##Receive, Fail/)
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('menuitem', { name: /Save these filters/ }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('To the vault')
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByRole('row', { name: /dr@clinic/ }).waitFor()
    await page.getByRole('button', { name: /Saved filters/ }).click()
    await page.getByRole('option', { name: 'To the vault' }).click()
    await page.waitForURL(/recipient=vault\.example/)
    assertNoFaults()
  })

  test('searches older mail, and says what may be missing', async () => {
    const { page, assertNoFaults } = await console.open('/messages?last=90-day&recipient=vault.example')
    await page.getByText('The trace does not have the whole period').waitFor()
    await page.getByRole('button', { name: 'Search older mail' }).first().click()
    await page.getByRole('dialog').getByRole('button', { name: 'Search', exact: true }).click()
    await page.getByText(/The search read .* in .* s\./).waitFor({ timeout: 60_000 })
    await page.getByText('New mail may be missing').waitFor()
    assert.match(page.url(), /search=/)
    await page.getByRole('button', { name: 'Show it in the trace' }).click()
    await page.getByRole('row', { name: /guard@vault\.example/ }).waitFor()
    assertNoFaults()
  })

  test('forgets a search that is cancelled while the API is slow', async () => {
    const { page } = await console.open('/messages?recipient=vault.example')
    let answer = () => {}
    await page.route('**/message-searches', async (route) => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      await route.continue()
    })
    const sent = page.waitForRequest((request) => request.url().endsWith('/message-searches'))
    await page.getByRole('button', { name: 'Search older mail' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Search', exact: true }).click()
    await sent
    assert.ok(await dialog.getByRole('button', { name: /Period/ }).isDisabled())
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    const answered = page.waitForResponse((response) => response.url().endsWith('/message-searches'))
    answer()
    await answered
    await whenRead(page)
    assert.doesNotMatch(page.url(), /search=/)
  })

  test('says which filter the API does not accept, and that a message does not exist', async () => {
    const { page } = await console.open('/messages?clientIp=one')
    await page.getByText('Client IP address: Invalid input').waitFor()
    const { page: unknown } = await console.open('/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV')
    await unknown.getByText('There is no such message').waitFor()
  })

  test('is accessible', async () => {
    for (const view of [
      '/messages',
      '/messages?state=Rejected',
      '/messages?sender=a%40b.example&minSize=1048576',
      `/messages/${await idOf('vault.example')}`,
    ]) {
      const { assertAccessible } = await console.open(view)
      await assertAccessible()
    }
  })
})
