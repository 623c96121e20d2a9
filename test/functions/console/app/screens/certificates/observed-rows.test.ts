import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ObservedCertificates } from '../../../../../../functions/console/app/api/types.ts'
import {
  filterObserved,
  observedRows,
  readWithin,
  sortObserved,
} from '../../../../../../functions/console/app/screens/certificates/observed-rows.ts'
import { daysUntil } from '../../../../../../functions/console/app/screens/certificates/rotation.ts'

type Seen = ObservedCertificates['certificates'][number]
const seen = (letter: string, fields: Partial<Seen> = {}): Seen => ({
  subject: 'CN=mx.bank.example',
  issuer: 'CN=Issuer',
  subjectAltNames: ['mx.bank.example'],
  serial: '01',
  fingerprint256: letter.repeat(64),
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter: '2027-01-01T00:00:00.000Z',
  keyType: 'EC',
  publicKeyFingerprint256: null,
  verifiedBy: null,
  facts: null,
  firstSeen: '2026-01-02T00:00:00.000Z',
  lastSeen: '2026-01-03T00:00:00.000Z',
  use: 'InUse',
  daysLeft: 40,
  ...fields,
})
const rows = observedRows([
  {
    kind: 'PartnerServer',
    connector: { id: 'C1', name: 'To the bank' },
    domain: 'bank.example',
    host: 'mx.bank.example',
    certificates: [seen('a'), seen('b', { use: 'Superseded', daysLeft: 2 })],
    changes: [],
  },
  {
    kind: 'Own',
    connector: null,
    domain: null,
    host: 'mx.ours.example',
    certificates: [seen('c', { daysLeft: 9, subject: 'CN=mx.ours.example', subjectAltNames: [] })],
    changes: [],
  },
])
const all = { kind: '', text: '', within: null, includesEarlier: false }
const found = (filter: Partial<typeof all> | { within: number }) =>
  filterObserved(rows, { ...all, ...filter }).map(({ certificate }) => certificate.fingerprint256[0])

test('certificates in use are listed; earlier ones on request', () => {
  assert.deepEqual(found({}), ['a', 'c'])
  assert.deepEqual(found({ includesEarlier: true }), ['a', 'b', 'c'])
})

test('filters by kind, by words in any field, and by the days until expiry', () => {
  assert.deepEqual(found({ kind: 'Own' }), ['c'])
  assert.deepEqual(found({ text: 'BANK issuer' }), ['a'])
  assert.deepEqual(found({ text: 'cccc' }), ['c'])
  assert.deepEqual(found({ within: 10 }), ['c'])
})

test('sorts by expiry, in both orders', () => {
  const order = (isDescending: boolean) =>
    sortObserved(rows, 'daysLeft', isDescending).map(({ certificate }) => certificate.daysLeft)
  assert.deepEqual(order(false), [2, 9, 40])
  assert.deepEqual(order(true), [40, 9, 2])
})

test('reads a number of days from the address', () => {
  assert.deepEqual([undefined, '', '30', '-1', 'x', '99999'].map(readWithin), [
    null,
    null,
    30,
    null,
    null,
    null,
  ])
})

test('a certificate that has expired has negative days', () => {
  const now = Date.parse('2026-02-01T12:00:00.000Z')
  assert.deepEqual(
    ['2026-02-01T00:00:00Z', '2026-02-02T00:00:00Z', '2026-02-03T12:00:00Z'].map((at) => daysUntil(at, now)),
    [-1, 0, 2],
  )
})
