/** A reader of a built report reads what was counted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TlsResult } from '../../../shared/contract/tls-result.ts'
import type { DomainCounts } from '../../../shared/tls-reports/counters.ts'
import { readReport } from '../../../shared/tls-reports/received-report.ts'
import { buildReport } from '../../../shared/tls-reports/report.ts'

const reporter = { organisation: 'Ours', address: 'postmaster@mx.ours.example', domain: 'mx.ours.example' }
const results = TlsResult.options.filter((result) => result !== 'success')
const sessions = fc.integer({ min: 0, max: 1e9 })
const domain = fc.stringMatching(/^[a-z]{1,20}\.example$/)

const failure = fc.record({
  result: fc.constantFrom(...results),
  host: fc.option(domain),
  ip: fc.option(fc.oneof(fc.ipV4(), fc.ipV6())),
  // A reason has one line before it is counted.
  reason: fc.option(fc.stringMatching(/^[!-~]([ -~]{0,198}[!-~])?$/)),
})
const policy = fc.record({
  policy: fc.record({
    type: fc.constantFrom('tlsa' as const, 'sts' as const, 'no-policy-found' as const),
    domain,
    strings: fc.array(fc.stringMatching(/^[!-~]{1,80}$/), { maxLength: 30 }),
    mxHosts: fc.array(domain, { maxLength: 30 }),
  }),
  successes: sessions,
  failures: sessions,
  details: fc.array(fc.record({ failure, sessions }), { maxLength: 4 }),
})
const counts: fc.Arbitrary<DomainCounts> = fc.record({
  domain,
  policies: fc.array(policy, { maxLength: 50 }),
})

test('readReport returns for any built report the counts from which it was built', () => {
  fc.assert(
    fc.property(counts, (counted) => {
      const read = readReport(JSON.parse(buildReport(counted, '2026-02-03', reporter).json))
      assert.ok(typeof read !== 'string', String(read))
      assert.deepEqual(read.omitted, { policies: 0, failures: 0 })
      assert.deepEqual(
        read.policies.map(
          ({ type, domain, strings, mxHosts, successfulSessions, failedSessions, failures }) => ({
            policy: { type, domain, strings, mxHosts },
            successes: successfulSessions,
            failures: failedSessions,
            details: failures.map(({ result, host, ip, reason, sessions }) => ({
              failure: { result, host, ip, reason },
              sessions,
            })),
          }),
        ),
        JSON.parse(JSON.stringify(counted.policies)),
      )
    }),
    { numRuns: 100 },
  )
})

test('readReport returns for any JSON a report or one line with the fault', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const result = readReport(json)
      if (typeof result === 'string') assert.match(result, /^[^\r\n]{1,500}$/)
    }),
    { numRuns: 300 },
  )
})
