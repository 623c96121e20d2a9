/** The steps for a partner, by the differences between one certificate and the next. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PublishedCertificate, PublishedCertificates } from '../../../shared/contract/certificates.ts'
import { preparationFor } from '../../../shared/tls/preparation.ts'

const certificate: PublishedCertificate = {
  state: 'Current',
  certificateName: 'mx.ours.example',
  subjectAltNames: ['mx.ours.example'],
  subject: 'CN=mx.ours.example',
  organization: null,
  organizationalUnit: null,
  issuer: 'CN=Middle',
  rootIssuer: 'Root One',
  keyType: 'EC',
  keyStrength: 256,
  serial: '01',
  fingerprint256: 'a'.repeat(64),
  publicKeyFingerprint256: 'b'.repeat(64),
  validFrom: '2026-01-01T00:00:00.000Z',
  validUntil: '2027-01-01T00:00:00.000Z',
  servedFrom: null,
  servedUntil: null,
  crlAddresses: ['http://crl.one.example/a.crl'],
  ocspAddresses: ['http://ocsp.one.example'],
  chain: '',
}
const at = '2026-12-06T12:00:00.000Z'
const next = (changes: Partial<PublishedCertificate>): PublishedCertificate => ({
  ...certificate,
  ...changes,
  state: 'Next',
  servedFrom: at,
})
const published = (...certificates: PublishedCertificate[]): PublishedCertificates => ({
  hostname: 'mx.ours.example',
  changedAt: at,
  certificates,
  tlsaRecords: [],
  protocol: { versions: [], cipherSuites: [], groups: [] },
})

const changes: [name: string, next: PublishedCertificate[], expected: [RegExp, string[]][]][] = [
  ['nothing changes', [next({})], []],
  [
    'the certificate is renewed with the same key',
    [next({ fingerprint256: 'c' })],
    [[/certificates \(pinning\)/, ['c']]],
  ],
  [
    'certificate and key are new',
    [next({ fingerprint256: 'c', publicKeyFingerprint256: 'd' })],
    [
      [/certificates \(pinning\)/, ['c']],
      [/public keys/, ['d']],
    ],
  ],
  ['the root changes', [next({ rootIssuer: 'Root Two' })], [[/trust this root/, ['Root Two']]]],
  [
    'one CRL address replaces another',
    [next({ crlAddresses: ['http://crl.two.example'] })],
    [[/addresses over HTTP/, ['http://crl.two.example']]],
  ],
  [
    'the name changes',
    [next({ certificateName: 'in.ours.example', subjectAltNames: ['in.ours.example'] })],
    [[/names mx\.ours\.example, replace it/, ['in.ours.example']]],
  ],
  ['a name is added', [next({ subjectAltNames: ['mx.ours.example', 'more.ours.example'] })], []],
  [
    'a next certificate is the same and a second one has another root',
    [next({}), next({ rootIssuer: 'Root Two', fingerprint256: 'c' })],
    [
      [/trust this root/, ['Root Two']],
      [/certificates \(pinning\)/, ['c']],
    ],
  ],
]

for (const [name, announced, expected] of changes)
  test(`preparationFor lists before the change the steps [${expected.map(([pattern]) => pattern).join(', ')}] when ${name}`, () => {
    const { changesAt, beforeChange } = preparationFor(published(certificate, ...announced))
    assert.equal(changesAt, at)
    assert.deepEqual(
      beforeChange.map(({ items }) => items),
      expected.map(([, items]) => items),
    )
    for (const [index, [pattern]] of expected.entries())
      assert.match(beforeChange[index]?.text ?? '', pattern)
  })

test('without a next certificate preparationFor lists no step before a change, but root, name and addresses for any partner', () => {
  const former = { ...certificate, state: 'Deprecated' as const, rootIssuer: 'Old Root' }
  const { changesAt, beforeChange, always } = preparationFor(published(certificate, former))
  assert.deepEqual([changesAt, beforeChange], [null, []])
  assert.deepEqual(
    always.map(({ items }) => items),
    [['Root One'], ['mx.ours.example'], ['http://crl.one.example/a.crl', 'http://ocsp.one.example']],
  )
})

test('preparationFor lists no step about addresses if no certificate has an address', () => {
  const { always } = preparationFor(published({ ...certificate, crlAddresses: [], ocspAddresses: [] }))
  assert.ok(always.every(({ text }) => !text.includes('addresses')))
})
