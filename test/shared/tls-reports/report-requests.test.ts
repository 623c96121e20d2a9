import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reportRequests } from '../../../shared/tls-reports/report-requests.ts'
import { fakeResolver } from '../../support/dns.ts'

const hourMs = 3_600_000
const record = 'v=TLSRPTv1; rua=mailto:tlsrpt@partner.example'

/** Requests with a resolver that counts queries, and a clock. */
function requestsOf(txt: Record<string, string[]>) {
  let nowMs = 0
  const resolver = fakeResolver({ txt })
  const queries: string[] = []
  const isRequested = reportRequests({
    resolver: {
      query: (name, type, signal) => {
        queries.push(name)
        return resolver.query(name, type, signal)
      },
    },
    now: () => nowMs,
  })
  return { isRequested, queries, pass: (milliseconds: number) => (nowMs += milliseconds) }
}

describe('a domain requests TLS reports', () => {
  const rows: [when: string, records: string[] | undefined, isRequested: boolean][] = [
    ['when its record names a mailbox', [record], true],
    ['but not without a record', undefined, false],
    ['but not with another TXT record', ['v=spf1 -all'], false],
    ['but not with two records', [record, record], false],
    ['but not when its record names no usable destination', ['v=TLSRPTv1; rua=ftp://partner.example'], false],
  ]
  for (const [when, records, expected] of rows)
    it(when, async () => {
      const { isRequested } = requestsOf(records ? { '_smtp._tls.partner.example': records } : {})
      assert.equal(await isRequested('partner.example'), expected)
    })

  it('as far as is known: when the query fails, its sessions are counted', async () => {
    const isRequested = reportRequests({
      resolver: { query: async () => ({ kind: 'Failed', code: 'ESERVFAIL', bogus: false }) },
      now: () => 0,
    })
    assert.equal(await isRequested('partner.example'), true)
  })

  it('according to one query in an hour', async () => {
    const { isRequested, queries, pass } = requestsOf({ '_smtp._tls.partner.example': [record] })
    await isRequested('partner.example')
    pass(hourMs - 1)
    await isRequested('partner.example')
    assert.equal(queries.length, 1)
    pass(1)
    assert.equal(await isRequested('partner.example'), true)
    assert.equal(queries.length, 2)
  })
})
