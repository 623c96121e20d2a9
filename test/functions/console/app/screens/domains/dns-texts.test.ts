/** The results of checks of DNS records in words: the order, the summary of a list, the sentences. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  byUrgency,
  type DnsCheck,
  type DnsStatus,
  sentencesOf,
  summaryOf,
} from '../../../../../../functions/console/app/screens/domains/dns-texts.ts'

const checkOf = (check: DnsCheck['check'], status: DnsStatus, detail: string[] = []): DnsCheck => ({
  check,
  name: 'ours.example',
  status,
  found: [],
  expected: [],
  publish: [],
  detail,
})

describe('checks of DNS records', () => {
  test('the most urgent are first, and equal ones keep their order', () => {
    const checks = [
      checkOf('MX', 'OK'),
      checkOf('CAA', 'ADVICE'),
      checkOf('DKIM', 'MISSING'),
      checkOf('SPF', 'DIFFERENT'),
      checkOf('DMARC', 'MISSING'),
      checkOf('DNSSEC', 'UNKNOWN'),
      checkOf('TLSA', 'WARN'),
    ]
    assert.deepEqual(
      byUrgency(checks).map(({ check }) => check),
      ['SPF', 'DKIM', 'DMARC', 'TLSA', 'DNSSEC', 'CAA', 'MX'],
    )
  })

  test('the summary names what must change, and counts the rest', () => {
    const checks = [
      checkOf('DKIM', 'MISSING'),
      checkOf('CAA', 'ADVICE'),
      checkOf('CAA', 'ADVICE'),
      checkOf('MX', 'DIFFERENT'),
      checkOf('TLSA', 'WARN'),
      checkOf('DNSSEC', 'UNKNOWN'),
      checkOf('SPF', 'OK'),
    ]
    assert.deepEqual(summaryOf({ checks }), {
      indication: 'error',
      text: 'Different: MX',
      others: ['Missing: DKIM', '1 risk', '1 unknown', '2 with advice'],
    })
  })

  test('the summary of records that are all OK says so', () => {
    assert.deepEqual(summaryOf({ checks: [checkOf('MX', 'OK')] }), {
      indication: 'success',
      text: 'All records are as expected',
      others: [],
    })
  })

  test('a check has the sentences of the API, or one of its own', () => {
    assert.deepEqual(sentencesOf(checkOf('MX', 'OK', ['An alias.'])), ['An alias.'])
    assert.deepEqual(sentencesOf(checkOf('MX', 'OK')), [
      'Other servers deliver mail for the domain to this gateway.',
    ])
    assert.deepEqual(sentencesOf(checkOf('MX', 'MISSING')), [
      'Where other servers deliver mail for the domain.',
    ])
  })
})
