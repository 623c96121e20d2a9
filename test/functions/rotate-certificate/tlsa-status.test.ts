/** When the TLSA records of the host permit the next certificates, as a table, and the dates that follow from it. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import {
  needsAdministrator,
  scheduleNext,
  type TlsaLookup,
  tlsaStatusOf,
} from '../../../functions/rotate-certificate/tlsa-status.ts'
import type { IngressCertificates, TlsaStatus } from '../../../shared/contract/certificates.ts'
import type { TlsaRecord } from '../../../shared/tls/requirement.ts'
import { createPki, daysFromNow, type Identity } from '../../support/pki.ts'

const hostname = 'mx.ours.example'
const now = new Date()
const [hour, day] = [3_600_000, 86_400_000]
const at = (ms: number) => new Date(now.getTime() + ms).toISOString()
const pki = await createPki()
const middle = await pki.subordinate('Middle')
const issue = (more: object = {}) => middle.issue({ names: [hostname], notAfter: daysFromNow(60), ...more })
const [current, next, rsa, future, expired] = await Promise.all([
  issue({ notAfter: daysFromNow(30) }),
  issue(),
  issue({ rsa: true }),
  issue({ notBefore: daysFromNow(1) }),
  issue({ notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
])

const sha256 = (octets: Buffer) => createHash('sha256').update(octets).digest('hex')
const keyDigest = ({ cert }: Identity) =>
  sha256(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
const tlsa = (usage: number, selector: number, data: string): TlsaRecord => ({
  usage,
  selector,
  matchingType: 1,
  data,
})
const keyRecord = (identity: Identity) => tlsa(3, 1, keyDigest(identity))
const certificateRecord = (identity: Identity) => tlsa(3, 0, sha256(new X509Certificate(identity.cert).raw))
const issuerPem = next.cert.split(/(?<=-----END CERTIFICATE-----\n)/)[1] ?? ''
const issuerRecord = tlsa(2, 0, sha256(new X509Certificate(issuerPem).raw))
const found = (...records: TlsaRecord[]): TlsaLookup => ({ kind: 'Records', records, ttlSeconds: 3600 })
const failed = (isResolverValidating: boolean): TlsaLookup => ({
  kind: 'Failed',
  detail: 'ESERVFAIL',
  isResolverValidating,
})
const text = (identity: Identity) => `_25._tcp.${hostname}. IN TLSA 3 1 1 ${keyDigest(identity)}`
const statusBefore = (state: TlsaStatus['state'], identity = next): TlsaStatus => ({
  state,
  since: at(-hour),
  usableFrom: null,
  records: [text(identity)],
})

const rows: [
  what: string,
  certificate: string,
  lookup: TlsaLookup,
  previous: TlsaStatus | null,
  expected: [TlsaStatus['state'], since: number, usableFrom: number | null] | null,
][] = [
  ['no records', next.cert, { kind: 'None' }, null, null],
  ['no records any more', next.cert, { kind: 'None' }, statusBefore('Missing'), null],
  ['no usable record', next.cert, found(tlsa(1, 1, keyDigest(current)), tlsa(3, 1, 'ab')), null, null],
  ['a record of the current key only', next.cert, found(keyRecord(current)), null, ['Missing', 0, null]],
  [
    'the same as an hour ago',
    next.cert,
    found(keyRecord(current)),
    statusBefore('Missing'),
    ['Missing', -hour, null],
  ],
  [
    'records of both keys',
    next.cert,
    found(keyRecord(current), keyRecord(next)),
    null,
    ['Visible', 0, 2 * hour],
  ],
  [
    'records of both keys, also an hour ago',
    next.cert,
    found(keyRecord(next)),
    statusBefore('Visible'),
    ['Visible', -hour, hour],
  ],
  [
    'records that match for the first time',
    next.cert,
    found(keyRecord(next)),
    statusBefore('Missing'),
    ['Visible', 0, 2 * hour],
  ],
  [
    'records of another next key an hour ago',
    next.cert,
    found(keyRecord(next)),
    statusBefore('Visible', rsa),
    ['Visible', 0, 2 * hour],
  ],
  [
    'a record of the next certificate',
    next.cert,
    found(certificateRecord(next)),
    null,
    ['Visible', 0, 2 * hour],
  ],
  ['a record of the issuer', next.cert, found(issuerRecord), null, ['Visible', 0, 2 * hour]],
  [
    'a record of the issuer, which is not presented',
    next.cert.replace(issuerPem, ''),
    found(issuerRecord),
    null,
    ['Missing', 0, null],
  ],
  [
    'a record of the issuer of a certificate that is not valid yet',
    future.cert,
    found(issuerRecord),
    null,
    ['Visible', 0, 2 * hour],
  ],
  [
    'a record of only one of an EC and an RSA key',
    `${next.cert}${rsa.cert}`,
    found(keyRecord(next)),
    null,
    ['Missing', 0, null],
  ],
  [
    'records of an EC and an RSA key',
    `${next.cert}${rsa.cert}`,
    found(keyRecord(next), keyRecord(rsa)),
    null,
    ['Visible', 0, 2 * hour],
  ],
  [
    'a SHA-512 record of the current certificate beside a SHA-256 record of the next',
    next.cert,
    found(keyRecord(next), { ...keyRecord(current), matchingType: 2, data: 'ab'.repeat(64) }),
    null,
    ['Missing', 0, null],
  ],
  ['a failure of a resolver that validates', next.cert, failed(true), null, ['Unknown', 0, null]],
  [
    'a failure after matching records',
    next.cert,
    failed(true),
    statusBefore('Visible'),
    ['Unknown', 0, null],
  ],
  ['a failure of a resolver that does not validate', next.cert, failed(false), null, null],
  [
    'a failure of such a resolver after it found records',
    next.cert,
    failed(false),
    statusBefore('Missing'),
    ['Unknown', 0, null],
  ],
]

for (const [what, certificate, lookup, previous, expected] of rows)
  test(`with ${what}, ${expected === null ? 'nothing restricts the next certificate' : `the state of the next certificate is ${expected[0]}`}`, () => {
    const status = tlsaStatusOf(certificate, lookup, { hostname, now, previous })
    assert.deepEqual(
      status && [status.state, status.since, status.usableFrom],
      expected && [expected[0], at(expected[1]), expected[2] === null ? null : at(expected[2])],
    )
  })

test('the status lists the record of each next key', () => {
  const context = { hostname, now, previous: null }
  const status = tlsaStatusOf(`${next.cert}${rsa.cert}`, found(keyRecord(current)), context)
  assert.deepEqual(status?.records, [text(next), text(rsa)])
})

const expiry = new X509Certificate(current.cert).validToDate.toISOString()
const missing = statusBefore('Missing')
const unknown = statusBefore('Unknown')
const visibleUntil = (ms: number): TlsaStatus => ({ ...statusBefore('Visible'), usableFrom: at(ms) })
const setWith = (servedFrom: string, plannedFrom?: string, identity = current): IngressCertificates => ({
  certificate: identity.cert,
  privateKey: identity.key,
  deprecated: [],
  next: {
    certificate: next.cert,
    privateKey: next.key,
    servedFrom,
    ...(plannedFrom !== undefined && { plannedFrom }),
  },
})
const schedules: [
  what: string,
  status: TlsaStatus | null,
  dates: [servedFrom: string, plannedFrom?: string],
  expected: [servedFrom: string, plannedFrom?: string],
][] = [
  ['is not restricted', null, [at(3 * day)], [at(3 * day)]],
  ['has no record and is due in three days', missing, [at(3 * day)], [at(3 * day)]],
  ['has no record and is due in a day', missing, [at(day)], [expiry, at(day)]],
  ['has no record and is due now', missing, [at(0)], [expiry, at(0)]],
  ['could not be looked up and is due in a day', unknown, [at(day)], [expiry, at(day)]],
  ['is held and has still no record', missing, [expiry, at(-day)], [expiry, at(-day)]],
  ['is held and has a visible record', visibleUntil(hour), [expiry, at(-day)], [at(hour), at(-day)]],
  ['has a record that is visible in time', visibleUntil(hour), [at(day)], [at(day)]],
  ['has a record that is visible after the date', visibleUntil(2 * day), [at(day)], [at(2 * day), at(day)]],
  ['has a record that is visible after the expiry', visibleUntil(40 * day), [at(day)], [expiry, at(day)]],
  [
    'is held, with a record long visible, before its date',
    visibleUntil(-hour),
    [expiry, at(hour)],
    [at(hour)],
  ],
  [
    'is held, with a record long visible, after its date',
    visibleUntil(-hour),
    [expiry, at(-day)],
    [at(0), at(-day)],
  ],
  ['is held and not restricted any more', null, [expiry, at(-day)], [at(0), at(-day)]],
  ['has no record, and a date after the expiry', missing, [at(40 * day)], [at(40 * day)]],
]

for (const [what, status, dates, [servedFrom, plannedFrom]] of schedules)
  test(`a next certificate that ${what} is served at the right date`, () => {
    const before = setWith(...dates)
    const after = scheduleNext(before, status, now)
    assert.deepEqual(after, setWith(servedFrom, plannedFrom))
    assert.equal(after === before, dates.join() === [servedFrom, plannedFrom].filter(Boolean).join())
  })

test('a held certificate that expires before the current one is planned for no later date than its own expiry', () => {
  const swapped = setWith(at(0), undefined, next)
  const { cert: certificate, key: privateKey } = current
  const after = scheduleNext(
    { ...swapped, next: { certificate, privateKey, servedFrom: at(0) } },
    missing,
    now,
  )
  assert.equal(after.next?.servedFrom, expiry)
})

test('no next certificate is held after the expiry of the current one, or while the current one is unreadable', () => {
  for (const set of [setWith(at(0), undefined, expired), { ...setWith(at(0)), privateKey: '' }])
    assert.equal(scheduleNext(set, missing, now), set)
})

test('an administrator must act for a missing record, unless the function writes it, and for every held certificate', () => {
  const cases = (isAutomatic: boolean) =>
    [null, missing, unknown, visibleUntil(hour)].flatMap((status) =>
      [setWith(at(3 * day)), setWith(expiry, at(0))].map((set) =>
        needsAdministrator(status, set, isAutomatic),
      ),
    )
  assert.deepEqual(cases(false), [false, false, true, true, false, true, false, false])
  assert.deepEqual(cases(true), [false, false, false, true, false, true, false, false])
})
