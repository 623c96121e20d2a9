/** Partners: the levels of a pair of connectors, a validation, and changes of its stage. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import type {
  InboundConnector,
  InboundConnectorList,
  ObservedCertificatesList,
  OutboundConnectorList,
} from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole } from '../support/console.ts'

const inboundName = 'From the bank'

describe('partners', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const readInbound = async (): Promise<InboundConnector> => {
    const { body } = await console.api('GET', '/inbound-connectors')
    const found = (body as InboundConnectorList).items.find(({ name }) => name === inboundName)
    assert.ok(found)
    return found
  }

  const confirm = async (page: Page, act: string, effect: RegExp) => {
    await page.getByRole('button', { name: `${act}: ${inboundName}` }).click()
    const confirmation = page.getByRole('dialog')
    await confirmation.getByText(effect).waitFor()
    return () => confirmation.getByRole('button', { name: act, exact: true }).click()
  }

  test('lists the pair of the bank with the levels of both directions', async () => {
    const { page, assertNoFaults } = await console.open('/partners?q=bank')
    const row = page.getByRole('row').filter({ hasText: 'bank.example' })
    await row.getByText('in: EncryptionOnly').waitFor()
    await row.getByText('out: DomainValidation').waitFor()
    assert.equal(await page.getByText('clinic.example').count(), 0)
    await page.getByRole('searchbox', { name: 'Filter partners' }).fill('no inbound partner connector')
    await page.getByRole('link', { name: 'clinic.example' }).waitFor()
    assert.match(page.url(), /q=no\+inbound\+partner\+connector/)
    const deferred = page.getByRole('link', { name: '1 recipient' })
    assert.match((await deferred.getAttribute('href')) ?? '', /^\/console\/queues\?connector=/)
    assertNoFaults()
  })

  test('shows the last mail of the bank, and its mail by TLS version and day', async () => {
    const { page, assertNoFaults } = await console.open('/partners?q=bank')
    const row = page.getByRole('row').filter({ hasText: 'bank.example' })
    await row.getByText(/in: \d/).waitFor()
    assert.ok((await row.getByRole('time').count()) >= 2)
    await page.goto(page.url().replace('partners?q=bank', 'partners/bank.example'))
    await page.getByRole('radio', { name: '90 days' }).or(page.getByText('90 days')).first().click()
    await page.waitForURL(/days=90/)
    for (const name of ['Received by day, by TLS version', 'Sent by day, by TLS version'])
      await page.getByRole('application', { name }).waitFor()
    await page.getByRole('button', { name: 'Numbers by day' }).click()
    const table = page.getByRole('table', { name: 'Sent by day, in numbers' })
    const today = new Date().toISOString().slice(0, 10)
    await table.getByRole('row').filter({ hasText: today }).waitFor()
    const numbers = page.getByRole('table', { name: 'Mail by TLS version' })
    assert.equal(await numbers.getByRole('time').count(), 2)
    assertNoFaults()
  })

  test('shows the warnings of the API about the connectors of a partner', async () => {
    const { page, assertNoFaults } = await console.open('/partners/clinic.example')
    const { body } = await console.api('GET', '/outbound-connectors')
    const clinic = (body as OutboundConnectorList).items.find(({ name }) => name === 'To the clinic')
    assert.equal(clinic?.warnings.length, 1)
    await page.getByText(clinic?.warnings[0]?.message ?? '').waitFor()
    assertNoFaults()
  })

  test('validates the outbound connector of the bank, step by step', async () => {
    const { page, assertNoFaults } = await console.open('/partners')
    await page.getByRole('link', { name: 'bank.example' }).click()
    await page.getByRole('heading', { level: 1, name: 'bank.example' }).waitFor()
    await page.getByText('Level: EncryptionOnly').waitFor()
    await page.getByText('Level: DomainValidation').waitFor()
    await page.getByText('Mail from bank.example must arrive over TLS 1.2 or later.').waitFor()

    await page.getByRole('button', { name: 'Validate' }).click()
    await page.getByText('Every step succeeded').waitFor({ timeout: 60_000 })
    const steps = await page.getByRole('list', { name: 'Steps of the validation' }).textContent()
    for (const step of ['Resolve', 'Connect', 'Ehlo', 'StartTls', 'Certificate', 'TestMail'])
      assert.ok(steps?.includes(step), steps ?? '')
    const { body } = await console.api('GET', '/outbound-connectors')
    const bank = (body as OutboundConnectorList).items.find(({ name }) => name === 'To the bank')
    assert.equal(bank?.validation?.succeeded, true)
    assertNoFaults()
  })

  test('leads to the refused mail of the bank', async () => {
    const { page } = await console.open('/partners/bank.example')
    const link = page.getByRole('link', { name: /^Refused on / })
    await link.waitFor()
    assert.match(
      (await link.getAttribute('href')) ?? '',
      /^\/console\/messages\?state=Rejected&domain=bank\.example&from=/,
    )
  })

  test('sets the inbound connector to ReportOnly, and enforces it again', async () => {
    const { page, assertNoFaults } = await console.open('/partners/bank.example')
    const report = await confirm(page, 'Set to ReportOnly', /accepted in the clear/)
    assert.equal((await readInbound()).mode, 'Enforce')
    await report()
    await page.getByText(`${inboundName}: ReportOnly is saved`).waitFor()
    await page.getByText('From the bank: mode: no requirement is enforced').waitFor()
    assert.equal((await readInbound()).mode, 'ReportOnly')

    const enforce = await confirm(page, 'Enforce', /Mail from bank\.example without TLS is refused\./)
    await enforce()
    await page.getByText(`${inboundName}: Enforce is saved`).waitFor()
    assert.equal((await readInbound()).mode, 'Enforce')
    await page.getByText('mode: ReportOnly → Enforce').waitFor()
    assertNoFaults()
  })

  test('says before a change how much mail it concerns, with the numbers of the page', async () => {
    const { page } = await console.open('/partners/bank.example')
    const received = page.getByRole('table', { name: 'Mail by TLS version' }).getByRole('row', {
      name: /^Inbound/,
    })
    await received.getByRole('time').waitFor()
    const cells = (await received.getByRole('cell').allTextContents()).map(Number)
    const [tls13 = 0, tls12 = 0, inClear = 0] = cells
    const messages = tls13 + tls12 + inClear
    assert.ok(messages > 100, String(cells))
    for (const act of ['Remove', 'Disable', 'Hold']) {
      await page.getByRole('button', { name: `${act}: ${inboundName}` }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByText(`In the last 7 days, ${messages} messages came from bank.example;`).waitFor()
      const ofTrace = dialog.getByText(/^Messages in the message trace: Of \d/)
      if (act === 'Hold') await ofTrace.waitFor()
      else assert.equal(await ofTrace.count(), 0)
      await dialog.getByRole('button', { name: 'Cancel' }).click()
    }
  })

  test('removes a connector, and says so in the list', async () => {
    const { status } = await console.api('POST', '/inbound-connectors', {
      name: 'From the lab',
      connectorType: 'Partner',
      senderDomains: ['lab.example'],
    })
    assert.equal(status, 201)
    const { page, assertNoFaults, assertAccessible } = await console.open('/partners/lab.example')
    await page.getByRole('button', { name: 'Remove: From the lab' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('In the last 7 days, 0 messages came from lab.example.').waitFor()
    await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'Partners' }).waitFor()
    await page.getByText('From the lab is removed').waitFor()
    await page.getByRole('link', { name: 'lab.example' }).waitFor({ state: 'detached' })
    await assertAccessible()
    await page.getByRole('button', { name: 'Close the notice' }).click()
    await page.getByText('From the lab is removed').waitFor({ state: 'detached' })
    assertNoFaults()
  })

  test('goes through the four stages of both directions', async () => {
    const { page, assertNoFaults } = await console.open('/partners/bank.example')
    const hold = await confirm(page, 'Hold', /Mail from bank\.example without TLS is held\./)
    await hold()
    await page.getByText(`${inboundName}: Hold is saved`).waitFor()
    assert.deepEqual([(await readInbound()).mode, (await readInbound()).onViolation], ['Enforce', 'Defer'])
    const enforce = await confirm(page, 'Enforce', /Mail from bank\.example without TLS is refused\./)
    await enforce()
    await page.getByText(`${inboundName}: Enforce is saved`).waitFor()
    assert.equal((await readInbound()).onViolation, 'Bounce')

    await page.getByText('Defer (now)').waitFor()
    await page.getByRole('button', { name: 'Enforce: To the bank' }).click()
    const dialog = page.getByRole('dialog')
    await dialog
      .getByText(/Where a server does not meet DomainValidation for \*\.bank\.example, the mail is bounced\./)
      .waitFor()
    await dialog.getByRole('button', { name: 'Enforce', exact: true }).click()
    await page.getByText('To the bank: Enforce is saved').waitFor()
    const { body } = await console.api('GET', '/outbound-connectors')
    const bank = (body as OutboundConnectorList).items.find(({ name }) => name === 'To the bank')
    assert.deepEqual([bank?.mode, bank?.onTlsFailure], ['Enforce', 'Bounce'])
    assertNoFaults()
  })

  test('does not overwrite a change that another client has made meanwhile', async () => {
    const { page } = await console.open('/partners/bank.example')
    const disable = await confirm(page, 'Disable', /accepted in the clear/)
    const { id, version } = await readInbound()
    const response = await fetch(`${console.runner.endpoints.api}/inbound-connectors/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': `"${version}"` },
      body: JSON.stringify({ comment: 'Agreed with the bank by phone' }),
    })
    assert.equal(response.status, 200)
    await disable()
    await page.getByText('Another person or program has changed this connector').waitFor()
    await page.getByText('Agreed with the bank by phone').first().waitFor()
    assert.equal((await readInbound()).enabled, true)
  })

  test('holds or returns mail that waits, as the person chooses', async () => {
    const { page } = await console.open('/partners/clinic.example')
    await page.getByRole('button', { name: 'Set to ReportOnly: To the clinic' }).click()
    const confirmation = page.getByRole('dialog')
    const save = confirmation.getByRole('button', { name: 'Set to ReportOnly', exact: true })
    await save.click()
    await confirmation.getByText('Mail that waits under this connector').waitFor()
    assert.equal(await save.isDisabled(), true)
    await confirmation.getByRole('radio', { name: 'Hold it' }).click()
    await save.click()
    await page.getByText('To the clinic: ReportOnly is saved').waitFor()
    const { body } = await console.api('GET', '/outbound-connectors')
    const clinic = (body as OutboundConnectorList).items.find(({ name }) => name === 'To the clinic')
    assert.equal(clinic?.mode, 'ReportOnly')
    const { body: queues } = await console.api('GET', '/queues?partner=clinic.example')
    assert.equal((queues as { items: unknown[] }).items.length, 1)
  })

  test('shows the old certificate of the bank beside the new one', async () => {
    const { body } = await console.api('GET', '/certificates/observed')
    const { items } = body as ObservedCertificatesList
    const bank = items.find(({ connector }) => connector?.name === 'To the bank')
    assert.ok(bank?.certificates[0])
    const old = { ...bank.certificates[0], use: 'Superseded', daysLeft: 3, fingerprint256: 'ab'.repeat(32) }
    const { page, assertAccessible } = await console.open('/partners/bank.example')
    await page.route('**/certificates/observed*', (route) =>
      route.fulfill({
        json: { items: [{ ...bank, certificates: [...bank.certificates, old] }], nextCursor: null },
      }),
    )
    await readAgain(page)
    for (const text of ['InUse', '364 days', 'Superseded', '3 days', bank.certificates[0].fingerprint256])
      await page.getByText(text).first().waitFor()
    await page.getByText('ab'.repeat(32)).waitFor()
    await assertAccessible()
  })

  test('says that no connector names a domain', async () => {
    const { page, assertNoFaults } = await console.open('/partners/unknown.example')
    await page.getByText('No connector names unknown.example').waitFor()
    assertNoFaults()
  })

  test('offers a reader no act', async () => {
    const { page } = await console.open('/partners/bank.example')
    await page.getByRole('button', { name: 'Validate' }).waitFor()
    await page.route('**/caller', (route) => route.fulfill({ json: { name: 'reader', roles: ['read'] } }))
    await readAgain(page)
    await page.getByText('Level: DomainValidation').waitFor()
    for (const act of ['Validate', 'Disable', 'Set to ReportOnly'])
      assert.equal(await page.getByRole('button', { name: act }).count(), 0, act)
  })

  test('without connectors leads to the import from Exchange', async () => {
    const { page, assertAccessible } = await console.open('/partners')
    await page.route(/\/(in|out)bound-connectors\?/, (route) =>
      route.fulfill({ json: { items: [], nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText('npx mailflow connectors import-exchange').waitFor()
    await assertAccessible()
  })

  test('shows what failed, and reads it again', async () => {
    const { page } = await console.open('/partners')
    const status = { current: 403 }
    await page.route('**/reports/rejected*', (route) =>
      status.current === 200
        ? route.continue()
        : route.fulfill({ status: status.current, json: { detail: 'The reports are not available.' } }),
    )
    await readAgain(page)
    await page.getByText('Your role does not show this').waitFor()
    await page.getByRole('link', { name: 'bank.example' }).waitFor()
    status.current = 400
    await readAgain(page)
    await page.getByText('The reports are not available.').waitFor()
    const row = page.getByRole('row').filter({ hasText: 'bank.example' })
    await row.getByText('unknown').waitFor()
    status.current = 200
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('The reports are not available.').waitFor({ state: 'detached' })
  })

  test('shows ten thousand partners in pages, and finds one of them', async () => {
    const bank = await readInbound()
    const count = 10_000
    const items = Array.from({ length: count }, (_, index) => ({
      ...bank,
      id: `PARTNER-${index}`,
      name: `From partner ${index}`,
      senderDomains: [`partner-${index}.example`],
    }))
    const { page, assertNoFaults } = await console.open('/partners')
    await page.route('**/inbound-connectors?*', (route) =>
      route.fulfill({ json: { items, nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText(`(${count + 4})`).waitFor()
    await page.getByRole('searchbox', { name: 'Filter partners' }).fill('partner-9876')
    await page.getByText('1 match', { exact: true }).first().waitFor()
    await page.getByRole('link', { name: 'partner-9876.example' }).waitFor()
    assertNoFaults()
  })

  for (const view of ['/partners', '/partners/bank.example', '/partners/clinic.example'])
    test(`${view} is accessible`, async () => {
      const { page, assertAccessible } = await console.open(view)
      await page
        .getByRole('link', { name: /^(clinic\.example|Refused on .*|Partners)$/ })
        .first()
        .waitFor()
      await assertAccessible()
    })

  test('the removal of the connector of own servers needs its name', async () => {
    const { body } = await console.api('GET', '/inbound-connectors')
    const server = (body as InboundConnectorList).items.find(({ name }) => name === 'Our server')
    const { page, assertAccessible } = await console.open(`/partners/${server?.id}`)
    await page.getByRole('button', { name: 'Remove: Our server' }).click()
    const dialog = page.getByRole('dialog')
    const remove = dialog.getByRole('button', { name: 'Remove', exact: true })
    await dialog.getByLabel('Name').fill('Our serve')
    assert.equal(await remove.isDisabled(), true)
    await assertAccessible()
    await dialog.getByLabel('Name').fill('Our server')
    assert.equal(await remove.isEnabled(), true)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
  })

  test('a validation needs a recipient if each domain has a wildcard', async () => {
    const { status, body } = await console.api('POST', '/outbound-connectors', {
      name: 'To all farms',
      connectorType: 'Partner',
      mode: 'ReportOnly',
      recipientDomains: ['*.farm.example'],
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: 9 }],
      tlsSettings: 'EncryptionOnly',
    })
    assert.equal(status, 201, JSON.stringify(body))
    const { page } = await console.open(`/partners/${(body as { id: string }).id}`)
    const validate = page.getByRole('button', { name: 'Validate', exact: true })
    assert.equal(await validate.isDisabled(), true)
    await page.getByLabel('Recipient of the test message').fill('ann@elsewhere.example')
    await validate.click()
    await page.getByText('elsewhere.example is not a domain of this connector').waitFor()
    await page.getByLabel('Recipient of the test message').fill('ann@a.farm.example')
    await validate.click()
    await page.getByText('A step failed').waitFor({ timeout: 60_000 })
  })

  test('a confirmation is accessible', async () => {
    const { page, assertAccessible } = await console.open('/partners/bank.example')
    await confirm(page, 'Disable', /accepted in the clear/)
    await assertAccessible()
  })
})
