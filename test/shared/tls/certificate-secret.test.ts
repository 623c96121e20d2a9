import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificateSecret } from '../../../shared/tls/certificate-secret.ts'

const certificate = '-----BEGIN CERTIFICATE-----'
const privateKey = '-----BEGIN PRIVATE KEY-----not to be published'
const current = { certificate, privateKey }
const servedFrom = '2026-12-01T00:00:00.000Z'

test('a secret with only certificate and privateKey is read without a fault', () => {
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
  test(`in a secret, ${what} is omitted with a fault, and the current certificate is read`, () => {
    const { set, optionalFieldsFault } = parseCertificateSecret(JSON.stringify({ ...current, ...more }))
    assert.deepEqual([set.certificate, set.privateKey, set.next ?? null], [certificate, privateKey, null])
    assert.match(optionalFieldsFault?.detail ?? '', detail)
  })

const unusableSecrets: [string, string, RegExp][] = [
  ['that is invalid JSON', `{"privateKey": "${privateKey}"`, /^the secret is not JSON$/],
  ['that is a JSON string', '"PRIVATE KEY-----not to be told"', /: the whole \(invalid_type\)$/],
  ['that is empty', '', /^the secret is not JSON$/],
  [
    'with a text that is no key',
    JSON.stringify({ certificate, privateKey: 'not to be told' }),
    /: privateKey \(/,
  ],
  [
    'without a certificate',
    JSON.stringify({ privateKey, next: 'later' }),
    /: certificate \(invalid_type\), next \(/,
  ],
]

for (const [what, text, message] of unusableSecrets)
  test(`a secret ${what} is refused with an error that shows no content of the secret`, () => {
    assert.throws(
      () => parseCertificateSecret(text),
      (error: Error) => message.test(error.message) && !error.message.includes('not to be published'),
    )
  })
