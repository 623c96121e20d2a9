import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RecipientCheck, recipientCheckOf } from '../../../shared/policy/check-recipient.ts'
import { compileSnapshot } from '../../../shared/policy/snapshot.ts'

const version = '01KGH3Z9A0V4RRFFQ69G5FAVXX'
const recipientList = { version, addresses: 3, updatedAt: '2026-02-03T11:00:00Z' }
const snapshot = compileSnapshot({
  version: 1,
  inbound: [],
  outbound: [],
  acceptedDomains: [
    { domain: 'any.example', recipients: 'Any', recipientList },
    { domain: 'old.example' },
    { domain: 'list.example', recipients: 'List', recipientList },
    { domain: 'missing.example', recipients: 'List' },
    { domain: 'callout.example', recipients: 'SmtpCallout', recipientList },
  ],
})
const settings = {
  postmaster: { hostname: 'mx.list.example', mailbox: 'operators@list.example' },
  tlsReportAddress: 'TLS-Reports@list.example',
}
const list = (...localParts: string[]): RecipientCheck => ({
  kind: 'List',
  domain: 'list.example',
  version,
  localParts,
})

const rows: [title: string, address: string, expected: RecipientCheck | null][] = [
  ['with recipients Any', 'a@any.example', null],
  ['that an earlier version accepted', 'a@old.example', null],
  ['outside the accepted domains', 'a@elsewhere.example', null],
  ['with recipients List', 'A@LIST.example', list('a')],
  ['with recipients List and a tag', 'a+b@list.example', list('a+b', 'a')],
  ['with recipients List, but without a list', 'a@missing.example', null],
  ['with recipients SmtpCallout', 'a@callout.example', { kind: 'SmtpCallout', domain: 'callout.example' }],
  ['whose postmaster it is', 'Postmaster@list.example', null],
  ['whose postmaster it is, in quotes', '"postmaster"@callout.example', null],
  ['that has the mailbox of the gateway’s postmaster', 'Operators@list.example', null],
  ['that has the address for reports on TLS', 'tls-reports@LIST.example', null],
  ['without a name', 'a@[192.0.2.1]', null],
]
for (const [title, address, expected] of rows)
  test(`a recipient of a domain ${title} is ${expected === null ? 'not checked' : `checked by ${expected.kind}`}`, () => {
    assert.deepEqual(recipientCheckOf(snapshot, address, settings), expected)
  })
