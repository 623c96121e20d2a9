/** The stored form of real certificates, and the name of a sender's. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import {
  clientCertificateName,
  recordOfClient,
  recordOfPem,
  recordOfServer,
} from '../../../../shared/tls/observed/certificate-record.ts'
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
  test(`a certificate with an ${kind} key is stored with its texts, dates and fingerprints`, () => {
    const record = recordOfPem(identity.cert)
    assert.equal(record?.keyType, kind)
    assert.equal(record?.fingerprint256, fingerprintOf(identity))
    assert.equal(record?.publicKeyFingerprint256, keyDigest(identity.cert))
    assert.equal(record?.issuer, 'CN=An Authority')
    assert.equal(record?.subjectAltNames[0], 'mx.bank.example')
  })

test('the first certificate of a secret is stored, and nothing of a key', () => {
  const record = recordOfPem(`${ec.key}\n${ec.cert}\n${rsa.cert}`)
  assert.equal(record?.fingerprint256, fingerprintOf(ec))
  assert.doesNotMatch(JSON.stringify(record), /PRIVATE/)
})

for (const [what, pem] of [
  ['a text without a certificate', 'nothing'],
  ['an unreadable certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
  ['a certificate without dates', withoutDates(ec.cert)],
] as const)
  test(`${what} is not stored`, () => {
    assert.equal(recordOfPem(pem), null)
  })

test("a server's and a client's certificate are stored alike", () => {
  const { keyType, publicKeyFingerprint256, ...summary } = recordOfPem(ec.cert) ?? assert.fail('unreadable')
  const chain = [new X509Certificate(ec.cert).raw.toString('base64')]
  const expected = { ...summary, keyType, publicKeyFingerprint256 }
  assert.deepEqual(recordOfServer(established({ certificates: [summary], chain })), expected)
  assert.deepEqual(recordOfClient(clientCertificate({ ...summary, chain })), expected)
  assert.equal(recordOfServer(established({ certificates: [], chain: [] })), null)
})

test('the key is unknown if the chain was too large for the job', () => {
  const { keyType, publicKeyFingerprint256 } = recordOfClient(clientCertificate({ chain: [] }))
  assert.deepEqual([keyType, publicKeyFingerprint256], [null, null])
})

test('texts are cut, and invisible characters replaced', () => {
  const record = recordOfClient(
    clientCertificate({
      subject: `CN=\u202e${'x'.repeat(5000)}`,
      subjectAltNames: Array(500).fill('a.example'),
    }),
  )
  assert.equal(record.subject.slice(0, 4), 'CN=?')
  assert.deepEqual([record.subject.length, record.subjectAltNames.length], [255, 20])
})

for (const [what, names, commonName, expected, name] of [
  [
    'its expected name',
    ['a.bank.example', 'mail.bank.example'],
    null,
    ['mail.bank.example'],
    'mail.bank.example',
  ],
  [
    'the first of its expected names',
    ['z.bank.example', 'b.bank.example', 'a.other.example'],
    null,
    ['*.bank.example'],
    'b.bank.example',
  ],
  ['the first of all names, if none is expected', ['z.example', 'b.example'], 'a.example', [], 'b.example'],
  ['its common name, if it has no other', [], 'Mail.Bank.Example', [], 'mail.bank.example'],
  ['its fingerprint, if it has no name', [], null, [], 'ab'.repeat(32)],
  ['its fingerprint, if no name is a host name', ['"odd, name"'], null, [], 'ab'.repeat(32)],
] as const)
  test(`a sender's certificate is identified by ${what}`, () => {
    const given = clientCertificate({ subjectAltNames: [...names], commonName })
    assert.equal(clientCertificateName(given, expected), name)
  })
