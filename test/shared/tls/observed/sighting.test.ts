/** What is remembered of real certificates, and what a sender's is known by. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import {
  nameOfClient,
  seenOfClient,
  seenOfPem,
  seenOfServer,
} from '../../../../shared/tls/observed/sighting.ts'
import { clientCertificate } from '../../../support/fixtures.ts'
import { createPki, fingerprintOf, withoutDates } from '../../../support/pki.ts'
import { established } from '../../../support/tls-sessions.ts'

const pki = await createPki('An Authority')
const ec = await pki.issue({ names: ['mx.bank.example', 'mx2.bank.example'] })
const rsa = await pki.issue({ names: ['mx.bank.example'], rsa: true })

const keyDigest = (pem: string): string =>
  createHash('sha256')
    .update(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')

for (const [kind, identity] of [
  ['EC', ec],
  ['RSA', rsa],
] as const)
  test(`of a certificate with an ${kind} key, its words, its dates and the digests of itself and its key`, () => {
    const seen = seenOfPem(identity.cert)
    assert.equal(seen?.keyType, kind)
    assert.equal(seen?.fingerprint256, fingerprintOf(identity))
    assert.equal(seen?.publicKeyFingerprint256, keyDigest(identity.cert))
    assert.equal(seen?.issuer, 'CN=An Authority')
    assert.equal(seen?.subjectAltNames[0], 'mx.bank.example')
  })

test('of a secret, the first certificate, and nothing of a key', () => {
  const seen = seenOfPem(`${ec.key}\n${ec.cert}\n${rsa.cert}`)
  assert.equal(seen?.fingerprint256, fingerprintOf(ec))
  assert.doesNotMatch(JSON.stringify(seen), /PRIVATE/)
})

for (const [what, pem] of [
  ['no certificate', 'nothing'],
  ['one that cannot be read', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
  ['one without dates', withoutDates(ec.cert)],
] as const)
  test(`of ${what}: nothing`, () => {
    assert.equal(seenOfPem(pem), null)
  })

test('what a server shows and what a client shows is remembered alike', () => {
  const { keyType, publicKeyFingerprint256, ...summary } = seenOfPem(ec.cert) ?? assert.fail('unreadable')
  const chain = [new X509Certificate(ec.cert).raw.toString('base64')]
  const expected = { ...summary, keyType, publicKeyFingerprint256 }
  assert.deepEqual(seenOfServer(established({ certificates: [summary], chain })), expected)
  assert.deepEqual(seenOfClient(clientCertificate({ ...summary, chain })), expected)
  assert.equal(seenOfServer(established({ certificates: [], chain: [] })), null)
})

test('where the chain was too large to travel, the key is not known', () => {
  const { keyType, publicKeyFingerprint256 } = seenOfClient(clientCertificate({ chain: [] }))
  assert.deepEqual([keyType, publicKeyFingerprint256], [null, null])
})

test('words are cut to a length, and what cannot be seen is replaced', () => {
  const seen = seenOfClient(
    clientCertificate({
      subject: `CN=\u202e${'x'.repeat(5000)}`,
      subjectAltNames: Array(500).fill('a.example'),
    }),
  )
  assert.equal(seen.subject.slice(0, 4), 'CN=?')
  assert.deepEqual([seen.subject.length, seen.subjectAltNames.length], [255, 20])
})

for (const [what, names, commonName, expected, name] of [
  [
    'the one that is expected',
    ['a.bank.example', 'mail.bank.example'],
    null,
    ['mail.bank.example'],
    'mail.bank.example',
  ],
  [
    'the first of those that are',
    ['z.bank.example', 'b.bank.example', 'a.other.example'],
    null,
    ['*.bank.example'],
    'b.bank.example',
  ],
  ['the first of all, where none is expected', ['z.example', 'b.example'], 'a.example', [], 'b.example'],
  ['its common name, where it has no other', [], 'Mail.Bank.Example', [], 'mail.bank.example'],
  ['its fingerprint, where it has none', [], null, [], 'ab'.repeat(32)],
  ['its fingerprint, where none is a host name', ['"odd, name"'], null, [], 'ab'.repeat(32)],
] as const)
  test(`a sender's certificate is known by ${what}`, () => {
    const given = clientCertificate({ subjectAltNames: [...names], commonName })
    assert.equal(nameOfClient(given, expected), name)
  })
