import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { readReport, toReceivedReport } from '../../../shared/tls-reports/received-report.ts'
import { ReceivedReports } from '../../../shared/tls-reports/received-reports.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const now = Date.parse('2026-02-10T12:00:00.000Z')
/** Seconds since the epoch, later than all times of the tests. */
const expiresAt = 2_000_000_000
let database: TestDynamoDb
let call: ReturnType<typeof createTestApi>['call']

function report(day: string, organisation: string, domain: string) {
  const content = readReport({
    'organization-name': organisation,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': `tls@${organisation}.example`,
    'report-id': `${day}@${organisation}`,
    policies: [
      {
        policy: { 'policy-type': 'no-policy-names', 'policy-domain': domain },
        summary: { 'total-successful-session-count': 10, 'total-failure-session-count': 0 },
      },
    ],
  })
  assert.ok(typeof content !== 'string')
  const parsedReport = toReceivedReport(content, new Date(`${day}T23:59:59Z`), {
    authenticated: 'none',
    signedBy: null,
  })
  assert.ok(typeof parsedReport !== 'string')
  return parsedReport
}

before(async () => {
  database = await startDynamoDb()
  const api = createTestApi(database.documents, () => now)
  call = api.call
  await call('PUT /accepted-domains/ours.example', { json: { comment: '' } })
  const reports = new ReceivedReports(database.documents, database.transportTable)
  for (const day of ['2026-02-01', '2026-02-05', '2026-02-09'])
    for (const [organisation, domain] of [
      ['a', 'ours.example'],
      ['b', 'mx.ours.example'],
      ['c', 'notours.example'],
    ] as const)
      await reports.put(report(day, organisation, domain), expiresAt)
  await reports.put(report('2025-11-20', 'old', 'ours.example'), expiresAt)
})
after(() => database.stop())

const reportNames = ({ body }: Awaited<ReturnType<typeof call>>) =>
  body.items.map(({ day, organisation }: Record<string, string>) => `${day} ${organisation}`).sort()

describe('GET /tls-reports', () => {
  test('lists the reports of the last 30 days, latest day first', async () => {
    const { status, body } = await call('GET /tls-reports')
    assert.equal(status, 200)
    assert.equal(body.nextCursor, null)
    const days = body.items.map(({ day }: Record<string, string>) => day)
    assert.deepEqual(days, [...days].sort().reverse())
    assert.equal(days.length, 9)
  })

  test('marks each report with acceptedDomain: whether it is about an accepted domain', async () => {
    const { body } = await call('GET /tls-reports?from=2026-02-09')
    assert.deepEqual(
      Object.fromEntries(
        body.items.map(({ organisation, acceptedDomain }: Record<string, unknown>) => [
          organisation,
          acceptedDomain,
        ]),
      ),
      { a: true, b: true, c: false },
    )
  })

  for (const [query, expected] of [
    ['domain=MX.ours.example', ['2026-02-01 b', '2026-02-05 b', '2026-02-09 b']],
    ['domain=example', []],
    ['to=2026-02-01', ['2026-02-01 a', '2026-02-01 b', '2026-02-01 c']],
    ['from=2026-02-05&to=2026-02-05&domain=ours.example', ['2026-02-05 a']],
    ['from=2025-11-20&to=2025-11-20', ['2025-11-20 old']],
  ] as const)
    test(`with ?${query} finds the reports [${expected.join(', ')}]`, async () => {
      assert.deepEqual(reportNames(await call(`GET /tls-reports?${query}`)), expected)
    })

  test('returns pages that together contain each report once', async () => {
    for (const limit of [1, 2, 3, 4, 9]) {
      const names: string[] = []
      let cursor = ''
      do {
        const page = await call(`GET /tls-reports?limit=${limit}${cursor}`)
        assert.ok(page.body.items.length <= limit)
        names.push(...reportNames(page))
        cursor = page.body.nextCursor === null ? '' : `&cursor=${page.body.nextCursor}`
      } while (cursor !== '')
      assert.equal(new Set(names).size, 9, `limit ${limit}`)
      assert.equal(names.length, 9, `limit ${limit}`)
    }
  })

  for (const [query, path] of [
    ['from=yesterday', 'from'],
    ['from=2026-02-30', 'from'],
    ['from=2026-02-05&to=2026-02-04', 'from'],
    ['from=2025-01-01', 'from'],
    ['domain=a%20b', 'domain'],
    ['limit=0', 'limit'],
    ['cursor=x', 'cursor'],
    ['domian=ours.example', 'domian'],
  ] as const)
    test(`gets 400, and an error that names the parameter, for ?${query}`, async () => {
      const { status, body } = await call(`GET /tls-reports?${query}`)
      assert.equal(status, 400)
      assert.deepEqual(
        body.errors.map((error: Record<string, string>) => error.path),
        [path],
      )
    })
})

describe('GET /tls-reports/{id}', () => {
  test('returns the policies of the report', async () => {
    const { body } = await call('GET /tls-reports?from=2026-02-09&domain=mx.ours.example')
    const response = await call(`GET /tls-reports/${body.items[0].id}`)
    assert.equal(response.status, 200)
    assert.deepEqual(response.body.policies, [
      {
        type: 'no-policy-names',
        domain: 'mx.ours.example',
        strings: [],
        mxHosts: [],
        successfulSessions: 10,
        failedSessions: 0,
        failures: [],
        acceptedDomain: true,
      },
    ])
  })

  for (const id of ['2026-02-09-00000000000000000000', 'x', '2026-02-09', '..%2Fsessions'])
    test(`gets 404 when {id} is ${id}, which is no report`, async () => {
      const { status, body } = await call(`GET /tls-reports/${id}`)
      assert.deepEqual([status, body.detail], [404, 'There is no such report.'])
    })
})

test('a page of received reports ends after a limited number of reads, and the next page continues there', async () => {
  const reports = new ReceivedReports(database.documents, database.transportTable, 2)
  const filter = { since: '2026-02-01', until: '2026-02-10', domain: 'notours.example' }
  const days: string[] = []
  let from = null
  let pages = 0
  do {
    const page = await reports.page(filter, from, 50)
    days.push(...page.reports.map(({ day }) => day))
    from = page.next
    pages += 1
  } while (from !== null)
  assert.deepEqual(days, ['2026-02-09', '2026-02-05', '2026-02-01'])
  assert.ok(pages >= 4)
})
