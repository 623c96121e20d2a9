import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificateSecret } from '../../../shared/tls/certificate-secret.ts'

const certificate = '-----BEGIN CERTIFICATE-----'
const privateKey = '-----BEGIN PRIVATE KEY-----not to be published'
const current = { certificate, privateKey }
const servedFrom = '2026-12-01T00:00:00.000Z'

test('two fields are enough', () => {
  assert.deepEqual(parseCertificateSecret(JSON.stringify(current)), {
    set: { ...current, deprecated: [] },
    optionalFieldsFault: null,
  })
})

const invalidOptionalFields: [string, object, RegExp][] = [
  ['a next certificate without its date', { next: current }, /: next\.servedFrom \(invalid_type\)$/],
  [
    'a next certificate with an invalid date',
    { next: { ...current, servedFrom: 'Monday' } },
    /: next\.servedFrom \(/,
  ],
  ['a next certificate without its key', { next: { certificate, servedFrom } }, /: next\.privateKey \(/],
  ['a text as next certificate', { next: 'later' }, /: next \(/],
  ['a text as list of deprecated certificates', { deprecated: 'all' }, /: deprecated \(/],
]

for (const [what, more, detail] of invalidOptionalFields)
  test(`${what} is left out with a fault, and the current certificate stays`, () => {
    const { set, optionalFieldsFault } = parseCertificateSecret(JSON.stringify({ ...current, ...more }))
    assert.deepEqual([set.certificate, set.privateKey, set.next ?? null], [certificate, privateKey, null])
    assert.match(optionalFieldsFault?.detail ?? '', detail)
  })

const unusableSecrets: [string, string, RegExp][] = [
  ['invalid JSON', `{"privateKey": "${privateKey}"`, /^the secret is not JSON$/],
  ['a text', '"PRIVATE KEY-----not to be told"', /: the whole \(invalid_type\)$/],
  ['nothing', '', /^the secret is not JSON$/],
  ['an invalid key', JSON.stringify({ certificate, privateKey: 'not to be told' }), /: privateKey \(/],
  [
    'no certificate',
    JSON.stringify({ privateKey, next: 'later' }),
    /: certificate \(invalid_type\), next \(/,
  ],
]

for (const [what, text, message] of unusableSecrets)
  test(`${what} is refused with the fields' names, without their content`, () => {
    assert.throws(
      () => parseCertificateSecret(text),
      (error: Error) => message.test(error.message) && !error.message.includes('not to be told'),
    )
  })
