/** The lookup of the TLSA records, with a resolver that answers from tables. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookUpTlsa } from '../../../functions/rotate-certificate/look-up-tlsa.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'

const host = 'mx.ours.example'
const name = `_25._tcp.${host}`
const data = 'ab'.repeat(32)
const records: Zone = { a: { [host]: ['192.0.2.1'] }, tlsa: { [name]: [[3, 1, 1, data]] } }
const signed: Zone = { ...records, secure: [host, name] }
const found = {
  kind: 'Records',
  records: [{ usage: 3, selector: 1, matchingType: 1, data }],
  ttlSeconds: 3600,
}
const none = { kind: 'None' }
const failed = (detail: string, isResolverValidating = true) => ({
  kind: 'Failed',
  detail,
  isResolverValidating,
})

const rows: [what: string, zone: Zone, isResolverValidating: boolean, expected: object][] = [
  ['records in a signed zone', signed, true, found],
  ['records in an unsigned zone', records, true, none],
  ['no records in a signed zone', { ...signed, tlsa: {} }, true, none],
  [
    'a name server of an unsigned zone that fails on TLSA',
    { ...records, fail: { [name]: 'ESERVFAIL' } },
    true,
    none,
  ],
  [
    'failing TLSA records in a signed zone',
    { ...signed, fail: { [name]: 'ESERVFAIL' } },
    true,
    failed(`DNS failed for the TLSA records of ${host}: ESERVFAIL`),
  ],
  [
    'bogus TLSA records',
    { ...signed, fail: { [name]: 'BOGUS' } },
    true,
    failed(`DNSSEC validation failed for the TLSA records of ${host}`),
  ],
  [
    'an address that cannot be looked up',
    { ...signed, fail: { [host]: 'ETIMEOUT' } },
    true,
    failed(`DNS failed for the addresses of ${host}: ETIMEOUT`),
  ],
  ['records, and a resolver that proves nothing', records, false, found],
  ['no records, and a resolver that proves nothing', { a: { [host]: ['192.0.2.1'] } }, false, none],
  [
    'a failure of a resolver that proves nothing',
    { ...records, fail: { [name]: 'ESERVFAIL' } },
    false,
    failed(`TLSA records of ${host}: ESERVFAIL`, false),
  ],
]

for (const [what, zone, isResolverValidating, expected] of rows)
  test(`the lookup of ${what} gives ${JSON.stringify(expected).slice(0, 60)}`, async () => {
    assert.deepEqual(await lookUpTlsa(host, fakeResolver(zone), isResolverValidating), expected)
  })
