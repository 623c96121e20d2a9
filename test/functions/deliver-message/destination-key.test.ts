import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { destinationKey } from '../../../functions/deliver-message/destination-key.ts'
import type { Route } from '../../../shared/contract/jobs.ts'

const [firstHost, secondHost] = [
  { host: 'mx1.partner.example', port: 25 },
  { host: 'mx2.partner.example', port: 2525 },
]
const many = Array.from({ length: 100 }, (_, index) => ({ host: `mx${index}.partner.example`, port: 25 }))

describe('the destination key of a job', () => {
  const rows: [string, Route, string | null][] = [
    ['with route Mx is the domain', { kind: 'Mx', domain: 'partner.example' }, 'partner.example'],
    [
      'with one smart host is host and port',
      { kind: 'SmartHosts', hosts: [firstHost] },
      'mx1.partner.example:25',
    ],
    [
      'with two smart hosts is both with their ports',
      { kind: 'SmartHosts', hosts: [firstHost, secondHost] },
      'mx1.partner.example:25 mx2.partner.example:2525',
    ],
    [
      'is the same for smart hosts in another order',
      { kind: 'SmartHosts', hosts: [secondHost, firstHost] },
      'mx1.partner.example:25 mx2.partner.example:2525',
    ],
    ['is null for SES', { kind: 'Ses' }, null],
    ['is null for a stored report', { kind: 'TlsReports' }, null],
    ['is null for a canary', { kind: 'Canary' }, null],
  ]
  for (const [title, route, key] of rows) it(title, () => assert.equal(destinationKey(route), key))

  it('is a hash for many smart hosts', () => {
    const key = destinationKey({ kind: 'SmartHosts', hosts: many })
    assert.match(key ?? '', /^[0-9a-f]{64}$/)
    assert.equal(destinationKey({ kind: 'SmartHosts', hosts: many.toReversed() }), key)
    assert.notEqual(destinationKey({ kind: 'SmartHosts', hosts: many.slice(1) }), key)
  })
})
