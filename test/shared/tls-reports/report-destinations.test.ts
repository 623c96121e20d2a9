import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  destinationText,
  parseReportDestinations,
  tlsReportRecordName,
} from '../../../shared/tls-reports/report-destinations.ts'

/** The TXT records, and the destinations of reports. */
const cases: [string, string[], string[]][] = [
  ['a mailbox', ['v=TLSRPTv1; rua=mailto:reports@partner.example'], ['mailto:reports@partner.example']],
  ['a record without a space', ['v=TLSRPTv1;rua=mailto:a@partner.example;'], ['mailto:a@partner.example']],
  ['https', ['v=TLSRPTv1; rua=https://reports.example/v1?x=1'], ['https://reports.example/v1?x=1']],
  [
    'a list of destinations',
    ['v=TLSRPTv1; rua=mailto:a@b.example , https://r.example/'],
    ['mailto:a@b.example', 'https://r.example/'],
  ],
  [
    'a repeated destination',
    ['v=TLSRPTv1; rua=mailto:a@b.example,mailto:a@B.example'],
    ['mailto:a@b.example'],
  ],
  ['extensions', ['v=TLSRPTv1; ext=1; rua=mailto:a@b.example; other=x'], ['mailto:a@b.example']],
  ['a record beside unrelated ones', ['x=1', 'v=TLSRPTv1; rua=mailto:a@b.example'], ['mailto:a@b.example']],
  ['an encoded character', ['v=TLSRPTv1; rua=mailto:a%2Bb@c.example'], ['mailto:a+b@c.example']],
  [
    'header fields in a mailto',
    ['v=TLSRPTv1; rua=mailto:a@b.example?cc=x@y.example'],
    ['mailto:a@b.example'],
  ],
  ['a domain in Unicode', ['v=TLSRPTv1; rua=mailto:a@bücher.example'], ['mailto:a@xn--bcher-kva.example']],
  ['no record', [], []],
  ['another version', ['v=TLSRPTv2; rua=mailto:a@b.example'], []],
  ['two records', ['v=TLSRPTv1; rua=mailto:a@b.example', 'v=TLSRPTv1; rua=mailto:c@d.example'], []],
  ['no rua', ['v=TLSRPTv1; ext=1'], []],
  ['two rua', ['v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example'], []],
  ['an empty rua', ['v=TLSRPTv1; rua='], []],
  ['plain http', ['v=TLSRPTv1; rua=http://r.example/'], []],
  ['another scheme', ['v=TLSRPTv1; rua=ftp://r.example/,file:///etc/passwd'], []],
  ['an address as host', ['v=TLSRPTv1; rua=https://169.254.169.254/,https://[::1]/,https://2130706433/'], []],
  ['a host without a domain', ['v=TLSRPTv1; rua=https://localhost/'], []],
  ['another port', ['v=TLSRPTv1; rua=https://r.example:8443/'], []],
  ['credentials', ['v=TLSRPTv1; rua=https://user:word@r.example/'], []],
  ['several mailboxes in one mailto', ['v=TLSRPTv1; rua=mailto:a@b.example%2Cc@d.example'], []],
  ['line breaks in a mailbox', ['v=TLSRPTv1; rua=mailto:a%0D%0ARCPT%20TO@b.example'], []],
  ['angle brackets', ['v=TLSRPTv1; rua=mailto:%3Ca@b.example%3E'], []],
  ['an address literal', ['v=TLSRPTv1; rua=mailto:a@[127.0.0.1]'], []],
  ['no local part', ['v=TLSRPTv1; rua=mailto:@b.example'], []],
  ['broken percent signs', ['v=TLSRPTv1; rua=mailto:a%ZZ@b.example'], []],
]

for (const [what, records, places] of cases)
  test(`${what} has the destinations ${places.join(' and ') || 'none'}`, () => {
    assert.deepEqual(parseReportDestinations(records).map(destinationText), places)
  })

test('only the first five of thousands of destinations are read', () => {
  const many = Array.from({ length: 5000 }, (_, index) => `mailto:a${index}@b.example`)
  assert.deepEqual(
    parseReportDestinations([`v=TLSRPTv1; rua=${many.join(',')}`]).map(destinationText),
    many.slice(0, 5),
  )
})

test("the record's name is below the domain", () => {
  assert.equal(tlsReportRecordName('partner.example'), '_smtp._tls.partner.example')
})
