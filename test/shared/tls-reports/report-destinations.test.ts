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
  ['an https URL', ['v=TLSRPTv1; rua=https://reports.example/v1?x=1'], ['https://reports.example/v1?x=1']],
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
  [
    'a record with extensions',
    ['v=TLSRPTv1; ext=1; rua=mailto:a@b.example; other=x'],
    ['mailto:a@b.example'],
  ],
  ['a record beside unrelated ones', ['x=1', 'v=TLSRPTv1; rua=mailto:a@b.example'], ['mailto:a@b.example']],
  [
    'a mailbox with an encoded character',
    ['v=TLSRPTv1; rua=mailto:a%2Bb@c.example'],
    ['mailto:a+b@c.example'],
  ],
  [
    'a mailto with header fields',
    ['v=TLSRPTv1; rua=mailto:a@b.example?cc=x@y.example'],
    ['mailto:a@b.example'],
  ],
  [
    'a mailbox with a domain in Unicode',
    ['v=TLSRPTv1; rua=mailto:a@bücher.example'],
    ['mailto:a@xn--bcher-kva.example'],
  ],
  ['no record', [], []],
  ['a record of another version', ['v=TLSRPTv2; rua=mailto:a@b.example'], []],
  ['two records', ['v=TLSRPTv1; rua=mailto:a@b.example', 'v=TLSRPTv1; rua=mailto:c@d.example'], []],
  ['a record without rua', ['v=TLSRPTv1; ext=1'], []],
  ['a record with two rua', ['v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example'], []],
  ['a record with an empty rua', ['v=TLSRPTv1; rua='], []],
  ['an http URL', ['v=TLSRPTv1; rua=http://r.example/'], []],
  ['URLs with other schemes', ['v=TLSRPTv1; rua=ftp://r.example/,file:///etc/passwd'], []],
  [
    'https URLs with an IP address as host',
    ['v=TLSRPTv1; rua=https://169.254.169.254/,https://[::1]/,https://2130706433/'],
    [],
  ],
  ['an https URL with a host name of one label', ['v=TLSRPTv1; rua=https://localhost/'], []],
  ['an https URL with a port', ['v=TLSRPTv1; rua=https://r.example:8443/'], []],
  ['an https URL with credentials', ['v=TLSRPTv1; rua=https://user:word@r.example/'], []],
  ['several mailboxes in one mailto', ['v=TLSRPTv1; rua=mailto:a@b.example%2Cc@d.example'], []],
  ['a mailbox with line breaks', ['v=TLSRPTv1; rua=mailto:a%0D%0ARCPT%20TO@b.example'], []],
  ['a mailbox in angle brackets', ['v=TLSRPTv1; rua=mailto:%3Ca@b.example%3E'], []],
  ['a mailbox at an address literal', ['v=TLSRPTv1; rua=mailto:a@[127.0.0.1]'], []],
  ['a mailbox without a local part', ['v=TLSRPTv1; rua=mailto:@b.example'], []],
  ['a mailbox with an invalid percent encoding', ['v=TLSRPTv1; rua=mailto:a%ZZ@b.example'], []],
]

for (const [what, records, places] of cases)
  test(`the destinations of reports for ${what} are ${places.join(' and ') || 'none'}`, () => {
    assert.deepEqual(parseReportDestinations(records).map(destinationText), places)
  })

test('only the first five of five thousand destinations in a record are read', () => {
  const many = Array.from({ length: 5000 }, (_, index) => `mailto:a${index}@b.example`)
  assert.deepEqual(
    parseReportDestinations([`v=TLSRPTv1; rua=${many.join(',')}`]).map(destinationText),
    many.slice(0, 5),
  )
})

test('the TXT record with the destinations is at _smtp._tls below the domain', () => {
  assert.equal(tlsReportRecordName('partner.example'), '_smtp._tls.partner.example')
})
