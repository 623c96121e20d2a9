import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readReport, toReceivedReport } from '../../shared/tls-reports/received-report.ts'
import { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'

const now = Date.parse('2026-02-10T12:00:00.000Z')
let api: HttpApi
let id: string

before(async () => {
  api = await startApi(() => now)
  await api.call('PUT /accepted-domains/ours.example', { json: {} })
  const reports = new ReceivedReports(api.database.documents, api.database.transportTable)
  for (const [day, signedBy] of [
    ['2026-02-08', 'sender.example'],
    ['2026-02-02', null],
  ] as const) {
    const content = readReport({
      'organization-name': 'Sender Ltd',
      'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
      'contact-info': 'tls@sender.example',
      'report-id': `${day}@sender.example`,
      policies: [
        {
          policy: {
            'policy-type': 'sts',
            'policy-domain': 'ours.example',
            'policy-string': ['version: STSv1', 'mode: testing', 'mx: mx.ours.example', 'max_age: 86400'],
          },
          summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': 3 },
          'failure-details': [
            {
              'result-type': 'certificate-expired',
              'sending-mta-ip': '192.0.2.1',
              'receiving-mx-hostname': 'mx.ours.example',
              'receiving-ip': '198.51.100.7',
              'failed-session-count': 3,
              'failure-reason-code': 'X509_V_ERR_CERT_HAS_EXPIRED',
            },
          ],
        },
      ],
    })
    assert.ok(typeof content !== 'string')
    const authenticated = signedBy === null ? 'none' : 'pass'
    const report = toReceivedReport(content, new Date(now), { authenticated, signedBy })
    assert.ok(typeof report !== 'string')
    await reports.put(report, 2_000_000_000)
    if (signedBy !== null) id = report.id
  }
})
after(() => api.stop())

test('`tls-reports` lists reports in columns, the latest day first', async () => {
  const { status, out } = await api.mailflow('tls-reports')
  assert.equal(status, 0)
  const lines = out.split('\n').map((line) => line.replaceAll(/ {2,}/g, '|'))
  assert.equal(lines[0], 'Day|Reported by|Signed|Domains|Successful|Failed|Id')
  assert.equal(lines[1], `2026-02-08|Sender Ltd|by sender.example|ours.example|5326|3|${id}`)
  assert.match(lines[2] ?? '', /^2026-02-02\|Sender Ltd\|no\|ours\.example\|5326\|3\|2026-02-02-/)
})

test('`tls-reports` fits its list to the terminal, with the whole id', async () => {
  await assertFitsTerminal(['tls-reports'], { env: { MAILFLOW_API: api.url }, now: () => now }, [id])
})

test('`tls-reports` finds reports by domain and by day', async () => {
  assert.equal((await api.mailflow('tls-reports', '--domain', 'other.example')).out, 'No reports found.\n')
  const result = await api.mailflow('tls-reports', '--since', '3d', '--until', '2026-02-09', '--json')
  assert.deepEqual(
    JSON.parse(result.out).map((report: { day: string }) => report.day),
    ['2026-02-08'],
  )
})

test('`tls-reports ID` shows one report with its failures and their reasons', async () => {
  const { status, out } = await api.mailflow('tls-reports', id)
  assert.equal(status, 0)
  assert.equal(
    out,
    `Report ${id}
  Reporter   Sender Ltd (tls@sender.example)
  Signed     by sender.example
  Report id  2026-02-08@sender.example
  Period     2026-02-08 00:00:00Z to 2026-02-08 23:59:59Z
  Received   2026-02-10 12:00:00Z

ours.example, MTA-STS: 5326 successful sessions, 3 failed
    version: STSv1
    mode: testing
    mx: mx.ours.example
    max_age: 86400
  3 × certificate-expired at mx.ours.example, 198.51.100.7, from 192.0.2.1
      X509_V_ERR_CERT_HAS_EXPIRED
`,
  )
})

test('`tls-reports` rejects an unknown report id, and a --since that is not a time', async () => {
  const unknown = await api.mailflow('tls-reports', '2026-02-08-00000000000000000000')
  assert.deepEqual([unknown.status, unknown.out], [1, ''])
  assert.match(unknown.err, /There is no such report/)
  const misread = await api.mailflow('tls-reports', '--since', 'yesterday')
  assert.equal(misread.status, 2)
  assert.match(misread.err, /--since yesterday: not a time/)
})
