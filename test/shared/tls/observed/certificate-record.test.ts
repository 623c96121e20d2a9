/** The stored form of real certificates, and the name that identifies a sender's certificate. */
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
  test(`the record of a certificate with an ${kind} key has its key type, names and fingerprints`, () => {
    const record = recordOfPem(identity.cert)
    assert.equal(record?.keyType, kind)
    assert.equal(record?.fingerprint256, fingerprintOf(identity))
    assert.equal(record?.publicKeyFingerprint256, keyDigest(identity.cert))
    assert.equal(record?.issuer, 'CN=An Authority')
    assert.equal(record?.subjectAltNames[0], 'mx.bank.example')
  })

test('recordOfPem returns the first certificate of a text, and nothing of a private key', () => {
  const record = recordOfPem(`${ec.key}\n${ec.cert}\n${rsa.cert}`)
  assert.equal(record?.fingerprint256, fingerprintOf(ec))
  assert.doesNotMatch(JSON.stringify(record), /PRIVATE/)
})

for (const [what, pem] of [
  ['a text without a certificate', 'nothing'],
  ['an unreadable certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
  ['a certificate without dates', withoutDates(ec.cert)],
] as const)
  test(`recordOfPem returns null for ${what}`, () => {
    assert.equal(recordOfPem(pem), null)
  })

test('recordOfServer and recordOfClient return the same record for the same certificate', () => {
  const { keyType, publicKeyFingerprint256, ...summary } = recordOfPem(ec.cert) ?? assert.fail('unreadable')
  const chain = [new X509Certificate(ec.cert).raw.toString('base64')]
  const expected = { ...summary, keyType, publicKeyFingerprint256 }
  assert.deepEqual(recordOfServer(established({ certificates: [summary], chain })), expected)
  assert.deepEqual(recordOfClient(clientCertificate({ ...summary, chain })), expected)
  assert.equal(recordOfServer(established({ certificates: [], chain: [] })), null)
})

test('recordOfClient has no key if the chain is missing, because it was too large for the job', () => {
  const { keyType, publicKeyFingerprint256 } = recordOfClient(clientCertificate({ chain: [] }))
  assert.deepEqual([keyType, publicKeyFingerprint256], [null, null])
})

test('in a record, texts and lists are cut, and invisible characters are replaced', () => {
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
    'the one of its names that the connector expects',
    ['a.bank.example', 'mail.bank.example'],
    null,
    ['mail.bank.example'],
    'mail.bank.example',
  ],
  [
    'the first of its names that a wildcard of the connector matches',
    ['z.bank.example', 'b.bank.example', 'a.other.example'],
    null,
    ['*.bank.example'],
    'b.bank.example',
  ],
  [
    'the first of its alternative names, if the connector expects none',
    ['z.example', 'b.example'],
    'a.example',
    [],
    'b.example',
  ],
  ['its common name, if it has no alternative name', [], 'Mail.Bank.Example', [], 'mail.bank.example'],
  ['its fingerprint, if it has no name', [], null, [], 'ab'.repeat(32)],
  ['its fingerprint, if no name is a host name', ['"odd, name"'], null, [], 'ab'.repeat(32)],
] as const)
  test(`a sender's certificate is identified by ${what}`, () => {
    const given = clientCertificate({ subjectAltNames: [...names], commonName })
    assert.equal(clientCertificateName(given, expected), name)
  })
