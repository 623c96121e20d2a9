/** Certificates: those of the gateway with their records for DANE, and all that were observed. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type {
  ObservedCertificates,
  ObservedCertificatesList,
  PublishedCertificates,
} from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole } from '../support/console.ts'

describe('certificates', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const observed = async (): Promise<ObservedCertificates[]> => {
    const { body } = await console.api('GET', '/certificates/observed?limit=100')
    return (body as ObservedCertificatesList).items
  }
  const published = async (): Promise<PublishedCertificates> =>
    (await console.api('GET', '/certificates')).body as PublishedCertificates

  test('leads from the navigation to the own certificates and what to publish for DANE', async () => {
    const { certificates, tlsaRecords } = await published()
    const { page, assertNoFaults } = await console.open('/')
    await page.getByRole('link', { name: 'Certificates', exact: true }).click()
    const own = page.getByRole('table', { name: 'Certificates of this gateway' })
    await own.getByText('Current').waitFor()
    await own.getByText(certificates[0]?.fingerprint256 ?? 'missing').waitFor()
    await page.getByText('No rotation is announced.').waitFor()
    for (const record of tlsaRecords) await page.getByText(record, { exact: true }).waitFor()
    assertNoFaults()
  })

  test('shows the date of a rotation, the deprecated certificate, and a record that is missing', async () => {
    const all = await published()
    const [current = assert.fail('no certificate')] = all.certificates
    const answer: PublishedCertificates = {
      ...all,
      certificates: [
        { ...current, servedUntil: '2030-02-03T11:00:00.000Z' },
        {
          ...current,
          state: 'Next',
          fingerprint256: 'AB'.repeat(32),
          servedFrom: '2030-02-03T11:00:00.000Z',
        },
        {
          ...current,
          state: 'Deprecated',
          fingerprint256: 'CD'.repeat(32),
          validUntil: '2020-01-01T00:00:00.000Z',
        },
      ],
      nextTlsa: {
        state: 'Missing',
        since: '2030-01-03T11:00:00.000Z',
        usableFrom: null,
        records: all.tlsaRecords,
      },
    }
    const { page, assertNoFaults, assertAccessible } = await console.open('/certificates')
    await page.route(/\/certificates$/, (route) =>
      route.request().resourceType() === 'document' ? route.continue() : route.fulfill({ json: answer }),
    )
    await readAgain(page)
    const own = page.getByRole('table', { name: 'Certificates of this gateway' })
    for (const state of ['Current', 'Next', 'Deprecated'])
      await own.getByText(state, { exact: true }).waitFor()
    await own.getByText('expired').waitFor()
    await page.getByText(/Rotation: .*2030/).waitFor()
    await page.getByText('Missing: The next certificate waits').waitFor()
    assertNoFaults()
    await assertAccessible()
  })

  test('says that no certificate is published yet', async () => {
    const { page, assertAccessible } = await console.open('/certificates')
    await page.route(/\/certificates$/, (route) =>
      route.request().resourceType() === 'document'
        ? route.continue()
        : route.fulfill({ status: 404, json: { detail: 'No certificate is published yet.' } }),
    )
    await readAgain(page)
    await page.getByText('The first is published within an hour of a deployment.').waitFor()
    await page.getByRole('table', { name: 'Observed certificates' }).waitFor()
    await assertAccessible()
  })

  test('filters observed certificates by text, kind and expiry, and leads to the partner', async () => {
    const { page, assertNoFaults } = await console.open('/certificates?q=bank')
    const table = page.getByRole('table', { name: 'Observed certificates' })
    const bank = table.getByRole('row').filter({ hasText: 'mx.bank.example' })
    await bank.waitFor()
    assert.equal(await table.getByText('mx.archive.example').count(), 0)
    await page.getByRole('button', { name: /Presented by/ }).click()
    await page.getByRole('option', { name: /PartnerClient/ }).click()
    await page.getByText('No observed certificate matches the filters.').waitFor()
    assert.match(page.url(), /kind=PartnerClient/)
    await page.getByRole('button', { name: 'Clear the filters' }).click()
    await table.getByText('mx.archive.example').first().waitFor()
    await page.getByRole('button', { name: /Expires within/ }).click()
    await page.getByRole('option', { name: '30 days' }).click()
    await page.getByText('No observed certificate matches the filters.').waitFor()
    assert.match(page.url(), /within=30/)
    await page.getByRole('button', { name: 'Clear the filters' }).click()
    await bank.getByRole('link', { name: 'To the bank' }).click()
    await page.getByRole('heading', { level: 1, name: 'bank.example' }).waitFor()
    assertNoFaults()
  })

  test('lists what expires first, and earlier certificates on request', async () => {
    const [first = assert.fail('none is observed')] = await observed()
    const [certificate = assert.fail('none')] = first.certificates
    const host = (name: string, daysLeft: number, use: 'InUse' | 'Superseded'): ObservedCertificates => ({
      ...first,
      host: name,
      certificates: [{ ...certificate, daysLeft, use }],
    })
    const items = [
      host('late.example', 300, 'InUse'),
      host('soon.example', 5, 'InUse'),
      host('over.example', -2, 'InUse'),
      host('old.example', 1, 'Superseded'),
    ]
    const { page, assertNoFaults } = await console.open('/certificates')
    await page.route('**/certificates/observed*', (route) =>
      route.fulfill({ json: { items, nextCursor: null } }),
    )
    await readAgain(page)
    const hosts = page.getByRole('table', { name: 'Observed certificates' }).getByText(/^\w+\.example$/)
    await hosts.first().waitFor()
    assert.deepEqual(await hosts.allTextContents(), ['over.example', 'soon.example', 'late.example'])
    await page.getByText('expired').waitFor()
    await page.goto(`${console.runner.endpoints.console}/certificates?use=All&order=descending`)
    await hosts.nth(3).waitFor()
    assert.deepEqual(await hosts.allTextContents(), [
      'late.example',
      'soon.example',
      'old.example',
      'over.example',
    ])
    assertNoFaults()
  })

  test('ten thousand certificates stay usable, and hostile texts stay texts', async () => {
    const [first = assert.fail('none is observed')] = await observed()
    const [certificate = assert.fail('none')] = first.certificates
    const markup = '<img src=x onerror="document.title=1">'
    const items = Array.from({ length: 10_000 }, (_, index) => ({
      ...first,
      host: `host-${index}.example`,
      certificates: [
        { ...certificate, issuer: `\u202e${markup}${'A'.repeat(index === 9876 ? 100_000 : 10)}` },
      ],
    }))
    const { page, assertNoFaults, assertAccessible } = await console.open('/certificates')
    await page.route('**/certificates/observed*', (route) =>
      route.fulfill({ json: { items, nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText('(10,000)').waitFor()
    const text = page.getByRole('searchbox', { name: 'Text' })
    await text.fill('host-9876.example')
    await text.press('Enter')
    await page.getByText('(1)').waitFor()
    await page.getByText('host-9876.example', { exact: true }).waitFor()
    const shown = (await page.locator('main').textContent()) ?? ''
    assert.ok(shown.includes(`�${markup}`))
    assert.ok(shown.length < 10_000)
    assert.equal(await page.locator('img[src="x"]').count(), 0)
    assertNoFaults()
    await assertAccessible()
  })

  test('without an observed certificate says when they appear; a failure is shown and read again', async () => {
    const { page } = await console.open('/certificates')
    const answer = { status: 400 }
    await page.route('**/certificates/observed*', (route) =>
      answer.status === 200
        ? route.fulfill({ json: { items: [], nextCursor: null } })
        : route.fulfill({ status: answer.status, json: { detail: 'The table is not available.' } }),
    )
    await readAgain(page)
    await page.getByText('The table is not available.').waitFor()
    answer.status = 200
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('No certificate was observed yet.').waitFor()
  })

  test('is accessible', async () => {
    const { page, assertAccessible } = await console.open('/certificates')
    await page.getByText('mx.bank.example').first().waitFor()
    await assertAccessible()
  })
})
