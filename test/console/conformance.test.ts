/** Conformance: what a domain's gateway, its records and deliveries meet of published standards. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { DomainConformance } from '../../functions/console/app/api/types.ts'
import { type ConsoleTest, readAgain, skip, startConsole, visit } from '../support/console.ts'

/** A comparison may take 25 seconds. */
const timeout = 60_000

describe('conformance', { skip }, () => {
  let console: ConsoleTest

  before(async () => {
    console = await startConsole()
  })
  after(() => console?.close())

  const openComparison = async (view = '/conformance', options = {}) => {
    const opened = await console.open(view, options)
    await opened.page.getByRole('heading', { name: 'Summary' }).waitFor({ timeout })
    return opened
  }

  test('the API measures the gateway of the domain, and compares its records', async () => {
    const { status, body } = await console.api('GET', '/accepted-domains/ours.example/conformance')
    assert.equal(status, 200)
    const { hosts, criteria } = body as DomainConformance
    assert.deepEqual(
      hosts.map(({ host, isGateway, port, state }) => [host, isGateway, port, state]),
      [['mail.example.com', true, 2525, 'Measured']],
    )
    const of = (id: string) => criteria.find((criterion) => criterion.id === id)
    assert.deepEqual([of('tls13')?.verdict, of('tls13')?.source], ['PASS', 'Handshakes'])
    assert.deepEqual(
      [of('certificate-name')?.verdict, of('certificate-name')?.source],
      ['PASS', 'Handshakes'],
    )
    assert.deepEqual(
      [of('spf')?.verdict, of('dkim')?.verdict, of('dmarc')?.verdict],
      ['PASS', 'FAIL', 'PASS'],
    )
    assert.equal(of('client-versions')?.source, 'Recorded')
  })

  test('compares the only domain, by standard and by criterion', async () => {
    const { page, assertNoFaults } = await openComparison()
    await page.getByText('mail.example.com, this gateway, port 2525').waitFor()
    const summary = page.getByRole('table', { name: 'Criteria by standard' })
    assert.equal(await summary.getByRole('row').count(), 8)
    const nist = page.getByRole('table', { name: 'SP 800-52r2' })
    const tls13 = nist.getByRole('row').filter({ hasText: 'TLS 1.3 is offered' })
    await tls13.getByText('Met', { exact: true }).waitFor()
    await tls13.getByText('Handshakes with the host, now').waitFor()
    const client = nist.getByRole('row').filter({ hasText: 'client-versions' })
    await client.getByText('Measured when this version was made').waitFor()
    assertNoFaults()
  })

  test('shows only what is not met, and why or what to do', async () => {
    const { page, assertNoFaults } = await openComparison()
    await page.getByText('Only what is not met').click()
    const nl = page.getByRole('table', { name: 'internet.nl 1.11' })
    await nl.getByText('STARTTLS is offered').waitFor({ state: 'detached' })
    assert.match(page.url(), /only=not-met/)
    const dkim = nl.getByRole('row').filter({ hasText: 'Mail is signed with DKIM' })
    await dkim.getByText('Not met', { exact: true }).waitFor()
    await dkim.getByText('publish its key').waitFor()
    await page.getByText('Mozilla and internet.nl permit X25519').first().waitFor()
    assertNoFaults()
  })

  test('is accessible', async () => {
    const { assertAccessible } = await openComparison('/conformance?only=not-met')
    await assertAccessible()
  })

  test('saves the comparison as CSV', async () => {
    const { page } = await openComparison()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download CSV' }).click(),
    ])
    assert.equal(download.suggestedFilename(), 'conformance-ours.example.csv')
    const text = await readFile(await download.path(), 'utf8')
    assert.match(text, /^Domain,Checked,Standard,Clause,Criterion,/)
    assert.match(text, /\r\nours\.example,[^\r]*internet\.nl 1\.11,DKIM: must,dkim,Domain,/)
  })

  test('prints what an auditor reads: no navigation, no controls, no table that is cut', async () => {
    const { page } = await openComparison()
    assert.ok(await page.getByRole('link', { name: 'Message trace' }).isVisible())
    await page.emulateMedia({ media: 'print' })
    await page.setViewportSize({ width: 720, height: 1000 })
    await page.getByRole('link', { name: 'Message trace' }).waitFor({ state: 'hidden' })
    for (const name of ['Measure again', 'Download CSV', 'Print', 'All domains'])
      assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name)
    assert.ok(await page.getByRole('heading', { name: 'Summary' }).isVisible())
    const widths: number[] = await page.evaluate(
      "[...document.querySelectorAll('table')].map((table) => table.getBoundingClientRect().right)",
    )
    assert.ok(widths.length > 7 && widths.every((right) => right <= 720), widths.join())
  })

  const conformanceOf = (domain: string, changes: Partial<DomainConformance> = {}): DomainConformance => ({
    domain,
    checkedAt: '2026-02-03T12:00:00.000Z',
    softwareVersion: '0.2.0',
    detail: null,
    hosts: [],
    criteria: [
      {
        id: 'spf',
        subject: 'Domain',
        host: null,
        requirement: 'An SPF record that ends with ~all or -all',
        references: [{ standard: 'internet.nl 1.11', clause: 'SPF', level: 'must' }],
        verdict: 'PASS',
        seen: 'v=spf1 -all',
        advice: null,
        source: 'Dns',
      },
    ],
    ...changes,
  })

  test('says why a host was not measured', async () => {
    const { page } = await openComparison()
    const host = {
      host: 'mx.elsewhere.example',
      isGateway: false,
      port: 25,
      state: 'NotMeasured' as const,
      detail: 'No session at port 25 of mx.elsewhere.example: no answer (ETIMEDOUT)',
      measuredAt: '2026-02-03T12:00:00.000Z',
    }
    await page.route('**/conformance', (route) =>
      route.request().resourceType() === 'document'
        ? route.continue()
        : route.fulfill({ json: conformanceOf('ours.example', { hosts: [host] }) }),
    )
    await page.getByRole('button', { name: 'Measure again' }).click()
    await page.getByText('no answer (ETIMEDOUT)').waitFor()
    await page.getByText('mx.elsewhere.example, not this gateway').waitFor()
    await page.getByText('Only what is not met').click()
    await page.getByText('Everything that was measured is met.').waitFor()
  })

  test('says that the comparison failed, and compares again', async () => {
    const { page } = await openComparison()
    const state = { fails: true }
    await page.route('**/accepted-domains/*/conformance', (route) =>
      state.fails
        ? route.fulfill({ status: 503, json: { detail: 'The measurement is not available.' } })
        : route.continue(),
    )
    await readAgain(page)
    await page.getByText('The measurement is not available.').waitFor()
    state.fails = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('heading', { name: 'Summary' }).waitFor({ timeout })
  })

  test('compares all domains one after another, on request', async () => {
    const { page } = await console.open('/domains')
    const names = Array.from({ length: 12 }, (_, index) => `d${index}.example`)
    const requests = { running: 0, peak: 0, count: 0 }
    await page.route('**/accepted-domains?*', (route) =>
      route.fulfill({
        json: {
          items: names.map((domain) => ({
            domain,
            recipients: 'Any',
            comment: '',
            createdAt: '2026-02-03T12:00:00.000Z',
            updatedAt: '2026-02-03T12:00:00.000Z',
            version: 1,
          })),
          nextCursor: null,
        },
      }),
    )
    await page.route('**/accepted-domains/*/conformance', async (route) => {
      requests.running += 1
      requests.count += 1
      requests.peak = Math.max(requests.peak, requests.running)
      await new Promise((resolve) => setTimeout(resolve, 20))
      requests.running -= 1
      const [, domain = ''] = /accepted-domains\/([^/]+)\//.exec(route.request().url()) ?? []
      await (domain === 'd3.example'
        ? route.fulfill({ status: 503, json: { detail: 'The API is busy.' } })
        : route.fulfill({ json: conformanceOf(domain) }))
    })
    await visit(page, '/conformance')
    await page.getByRole('button', { name: 'All domains' }).click()
    await page.getByText('No domain is compared yet.').waitFor()
    assert.equal(requests.count, 0)
    await page.getByRole('button', { name: 'Compare 12 domains' }).click()
    await page.getByRole('heading', { name: 'All domains (12/12)' }).waitFor()
    assert.deepEqual([requests.peak, requests.count], [1, 12])
    await page.getByText('Not compared: The API is busy.').waitFor()
    await page.getByRole('link', { name: 'd5.example' }).click()
    await page.getByRole('heading', { level: 2, name: 'd5.example' }).waitFor()
    await page.getByRole('heading', { name: 'Summary' }).waitFor()
  })

  test('without a domain leads to the domains', async () => {
    const { page, assertAccessible } = await console.open('/conformance')
    await page.route('**/accepted-domains?*', (route) =>
      route.fulfill({ json: { items: [], nextCursor: null } }),
    )
    await readAgain(page)
    await page.getByText('There is no accepted domain to compare.').waitFor()
    await page.getByRole('link', { name: 'Add the first' }).waitFor()
    await assertAccessible()
  })
})
