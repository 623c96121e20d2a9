/** The description for partners, of certificates that the test creates. */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { createHash, createPublicKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import {
  AuthorityInfoAccessExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509'
import { PublishedCertificates } from '../../../shared/contract/certificates.ts'
import { describeCertificates } from '../../../shared/tls/describe-certificates.ts'
import { descriptionAt } from '../../../shared/tls/description-at.ts'
import { certificateWith } from '../../support/odd-certificates.ts'
import { createPki, selfSigned, withoutDates } from '../../support/pki.ts'

const hostname = 'mx.ours.example'
const root = await createPki('Root of All')
const middle = await root.subordinate('Middle CA')
const [ec, rsa, fromOtherRoot] = await Promise.all([
  middle.issue({ names: [hostname, 'mail.ours.example'] }),
  middle.issue({ names: [hostname], rsa: 3072 }),
  createPki('Another Root').then((other) => other.issue({ names: [hostname] })),
])
const now = new Date('2026-11-29T12:00:00.000Z')
const secret = { certificate: ec.cert, deprecated: [] }
const describe = (fields: Partial<Parameters<typeof describeCertificates>[0]> = {}, at = now) =>
  describeCertificates({ ...secret, ...fields }, { hostname, now: at })

test('a certificate is described with all values that a partner compares', () => {
  const results = describe({ servedFrom: '2026-01-02T03:04:05.000Z' })
  const leaf = new X509Certificate(ec.cert)
  const [certificate, ...others] = results.certificates
  assert.deepEqual(others, [])
  assert.deepEqual(
    { ...certificate, chain: '' },
    {
      state: 'Current',
      certificateName: hostname,
      subjectAltNames: [hostname, 'mail.ours.example'],
      subject: `CN=${hostname}`,
      organization: null,
      organizationalUnit: null,
      issuer: 'CN=Middle CA',
      rootIssuer: 'Root of All',
      keyType: 'EC',
      keyStrength: 256,
      serial: leaf.serialNumber,
      fingerprint256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
      publicKeyFingerprint256: createHash('sha256')
        .update(createPublicKey(ec.key).export({ type: 'spki', format: 'der' }))
        .digest('hex'),
      validFrom: leaf.validFromDate.toISOString(),
      validUntil: leaf.validToDate.toISOString(),
      servedFrom: '2026-01-02T03:04:05.000Z',
      servedUntil: null,
      crlAddresses: [],
      ocspAddresses: [],
      chain: '',
    },
  )
  assert.equal(results.hostname, hostname)
  assert.equal(results.changedAt, now.toISOString())
})

test('the description of the certificates matches the schema PublishedCertificates', () => {
  assert.doesNotThrow(() => PublishedCertificates.parse(describe()))
})

test('private keys in the same text as certificates are not in the description', () => {
  const next = {
    certificate: `${fromOtherRoot.key}\n${fromOtherRoot.cert}`,
    servedFrom: '2026-12-01T00:00:00.000Z',
  }
  const results = JSON.stringify(
    describe({ certificate: `${ec.cert}\n${ec.key}\n${rsa.key}\n${rsa.cert}`, next }),
  )
  assert.equal(JSON.parse(results).certificates.length, 3)
  for (const { key } of [ec, rsa, fromOtherRoot]) {
    assert.ok(!results.includes('PRIVATE KEY'))
    assert.ok(!results.includes(key.split('\n')[1] ?? key))
  }
})

test('the chain in a description begins with the certificate, although its issuer is given first', () => {
  const [leaf, issuer] = [ec.cert, ec.cert].map(
    (pem, index) => pem.split(/(?<=-----END CERTIFICATE-----)/)[index],
  )
  const [certificate] = describe({ certificate: `${issuer}\n${leaf}` }).certificates
  const chain = certificate?.chain.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []
  assert.deepEqual(
    chain.map((pem) => new X509Certificate(pem).subject),
    [`CN=${hostname}`, 'CN=Middle CA'],
  )
})

test('an ECDSA and an RSA certificate are described side by side', () => {
  const results = describe({ certificate: `${ec.cert}\n${rsa.cert}` })
  assert.deepEqual(
    results.certificates.map(({ state, keyType, keyStrength }) => [state, keyType, keyStrength]),
    [
      ['Current', 'EC', 256],
      ['Current', 'RSA', 3072],
    ],
  )
  assert.equal(results.tlsaRecords.length, 2)
})

test('a self-signed certificate is described although it is marked as an authority', async () => {
  const selfSignedAuthority = await createPki('mx.ours.example')
  const [certificate] = describe({ certificate: selfSignedAuthority.ca }).certificates
  assert.equal(certificate?.certificateName, hostname)
  assert.equal(certificate?.rootIssuer, hostname)
})

test('TLSA records name the keys of the current and the next certificate, not of deprecated ones', () => {
  const results = describe({
    next: { certificate: fromOtherRoot.cert, servedFrom: '2026-12-10T00:00:00.000Z' },
    deprecated: [{ certificate: rsa.cert, servedUntil: '2026-01-01T00:00:00.000Z' }],
  })
  const [current, next] = results.certificates
  assert.deepEqual(results.tlsaRecords, [
    `_25._tcp.mx.ours.example. IN TLSA 3 1 1 ${current?.publicKeyFingerprint256}`,
    `_25._tcp.mx.ours.example. IN TLSA 3 1 1 ${next?.publicKeyFingerprint256}`,
  ])
})

test('a key that stays in the next certificate has only one TLSA record', () => {
  const next = { certificate: ec.cert, servedFrom: '2026-12-10T00:00:00.000Z' }
  assert.equal(describe({ next }).tlsaRecords.length, 1)
})

const nextCertificate = { certificate: fromOtherRoot.cert, servedFrom: '2026-12-10T00:00:00.000Z' }
const beforeSwitch = new Date('2026-12-09T23:59:59.999Z')
const switchTime = new Date('2026-12-10T00:00:00.000Z')

for (const [name, results] of [
  [
    'in a description that is made at this date',
    describe({ next: nextCertificate, deprecated: deprecatedCertificates() }, switchTime),
  ],
  [
    'in a description that was made before this date',
    descriptionAt(
      describe({ next: nextCertificate, deprecated: deprecatedCertificates() }, beforeSwitch),
      switchTime,
    ),
  ],
] as const)
  test(`the next certificate becomes the current one at its date, ${name}`, () => {
    assert.deepEqual(
      results.certificates.map((each) => [each.rootIssuer, each.state, each.servedFrom, each.servedUntil]),
      [
        ['Another Root', 'Current', nextCertificate.servedFrom, null],
        ['Root of All', 'Deprecated', null, nextCertificate.servedFrom],
        ['Root of All', 'Deprecated', null, '2026-01-01T00:00:00.000Z'],
      ],
    )
    assert.equal(results.tlsaRecords.length, 1)
  })

function deprecatedCertificates() {
  return [{ certificate: rsa.cert, servedUntil: '2026-01-01T00:00:00.000Z' }]
}

test('a millisecond before its date the next certificate has the state Next', () => {
  const results = describe({ next: nextCertificate }, beforeSwitch)
  assert.equal(descriptionAt(results, beforeSwitch), results)
  assert.deepEqual(
    results.certificates.map(({ state }) => state),
    ['Current', 'Next'],
  )
})

test('changedAt of a description changes exactly when another field changes', () => {
  const before = describeCertificates(secret, { hostname, now })
  const unchanged = describeCertificates(secret, { hostname, now: beforeSwitch, previous: before })
  assert.equal(unchanged.changedAt, now.toISOString())
  const changed = describeCertificates(
    { ...secret, next: nextCertificate },
    { hostname, now: beforeSwitch, previous: before },
  )
  assert.equal(changed.changedAt, beforeSwitch.toISOString())
  assert.equal(descriptionAt(changed, switchTime).changedAt, nextCertificate.servedFrom)
})

test('the previous description is returned itself when nothing has changed, even if a store reordered its fields', () => {
  const before = describe({ next: nextCertificate })
  const reordered = JSON.parse(JSON.stringify(before), (_, value) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).reverse())
      : value,
  )
  const withNext = { ...secret, next: nextCertificate }
  assert.equal(describeCertificates(withNext, { hostname, now: beforeSwitch, previous: before }), before)
  assert.equal(
    describeCertificates(withNext, { hostname, now: beforeSwitch, previous: reordered }),
    reordered,
  )
})

/** The secret after the switch, written some time later. */
const secretAfterSwitch = {
  certificate: nextCertificate.certificate,
  servedFrom: nextCertificate.servedFrom,
  deprecated: [{ certificate: ec.cert, servedUntil: nextCertificate.servedFrom }],
}

test('a switch to the next certificate changes the description at its date, and not again when the secret is written later', () => {
  const servedFrom = '2026-03-01T00:00:00.000Z'
  const before = describe({ servedFrom, next: nextCertificate })
  const halfAnHourLater = new Date(switchTime.getTime() + 1_800_000)
  const rewritten = describeCertificates(secretAfterSwitch, {
    hostname,
    now: halfAnHourLater,
    previous: before,
  })
  assert.deepEqual(rewritten, descriptionAt(before, switchTime))
  assert.equal(rewritten.changedAt, nextCertificate.servedFrom)
  assert.deepEqual(
    rewritten.certificates.map((each) => [each.state, each.servedFrom, each.servedUntil]),
    [
      ['Current', nextCertificate.servedFrom, null],
      ['Deprecated', servedFrom, nextCertificate.servedFrom],
    ],
  )
})

test('a certificate that a switch does not replace keeps its servedFrom and is not described as deprecated', () => {
  const servedFrom = '2026-03-01T00:00:00.000Z'
  const bothCertificates = `${ec.cert}\n${rsa.cert}`
  const next = { certificate: `${fromOtherRoot.cert}\n${rsa.cert}`, servedFrom: nextCertificate.servedFrom }
  const before = describe({ certificate: bothCertificates, servedFrom, next })
  const switched = descriptionAt(before, switchTime)
  const rewritten = describeCertificates(
    {
      certificate: next.certificate,
      servedFrom: next.servedFrom,
      deprecated: [{ certificate: bothCertificates, servedUntil: next.servedFrom }],
    },
    { hostname, now: switchTime, previous: before },
  )
  for (const results of [switched, rewritten])
    assert.deepEqual(
      results.certificates.map((each) => [each.state, each.keyType, each.servedFrom]),
      [
        ['Current', 'EC', next.servedFrom],
        ['Current', 'RSA', servedFrom],
        ['Deprecated', 'EC', servedFrom],
      ],
    )
})

test('the description lists the HTTP addresses of CRLs and OCSP of the whole chain, each once', async () => {
  const leaf = await certificateWith({
    subject: 'CN=mx.ours.example',
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'dns', value: hostname }]),
      new CRLDistributionPointsExtension(['http://crl.ca.example/middle.crl', 'ldap://ca.example/cn=x']),
      new AuthorityInfoAccessExtension({ ocsp: ['http://ocsp.ca.example'] }),
    ],
    authority: {
      subject: 'CN=Middle, O=CA',
      extensions: [
        new BasicConstraintsExtension(true),
        new CRLDistributionPointsExtension([
          'http://crl.ca.example/root.crl',
          'http://crl.ca.example/middle.crl',
        ]),
      ],
    },
  })
  const [certificate] = describe({ certificate: leaf }).certificates
  assert.deepEqual(certificate?.crlAddresses, [
    'http://crl.ca.example/middle.crl',
    'http://crl.ca.example/root.crl',
  ])
  assert.deepEqual(certificate?.ocspAddresses, ['http://ocsp.ca.example'])
})

const subjects: [subject: string, expected: Record<string, string | null>][] = [
  ['CN=mx.ours.example, O="Ours, Inc.", OU=Mail', { organization: 'Ours, Inc.', organizationalUnit: 'Mail' }],
  ['CN=mx.ours.example, O=A<script>alert(1)</script>', { organization: 'A<script>alert(1)</script>' }],
  ['CN=mx.ours.example, O=gnp\u202egpj', { organization: 'gnp?gpj' }],
  ['CN=mx.ours.example, OU=First, OU=Second', { organizationalUnit: 'Second' }],
  ['O=Ours', { certificateName: 'O=Ours' }],
  ['CN=mail.ours.example, O=Ours', { certificateName: 'mail.ours.example' }],
]

for (const [subject, expected] of subjects)
  test(`a certificate with the subject ${JSON.stringify(subject)} is described with ${JSON.stringify(expected)}`, async () => {
    const [certificate] = describe({ certificate: await certificateWith({ subject }) }).certificates
    assert.deepEqual({ ...certificate, ...expected }, certificate)
  })

const unreadable: [name: string, set: Parameters<typeof describe>[0], fault: RegExp][] = [
  ['a text without PEM', { certificate: 'nothing' }, /^Error: certificate: holds no certificate in PEM$/],
  [
    'PEM with invalid content',
    {
      next: {
        certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
        servedFrom: nextCertificate.servedFrom,
      },
    },
    /^Error: next: certificate 1 in PEM cannot be read$/,
  ],
  [
    'a certificate without dates',
    { certificate: withoutDates(ec.cert.split(/(?<=-----END CERTIFICATE-----)/)[0] ?? '') },
    /^Error: certificate: the certificate CN=mx\.ours\.example cannot be described: Invalid time value$/,
  ],
  [
    'an invalid deprecated certificate',
    {
      deprecated: [...deprecatedCertificates(), { certificate: '', servedUntil: nextCertificate.servedFrom }],
    },
    /^Error: deprecated\[1\]: holds no certificate in PEM$/,
  ],
]

for (const [name, fields, fault] of unreadable)
  test(`describeCertificates throws an error that names the field for ${name}`, () =>
    assert.throws(() => describe(fields), fault))

test('the certificateName of a certificate without alternative names is its common name', async () => {
  const { cert } = await selfSigned({ names: [], commonName: 'old.ours.example' })
  assert.equal(describe({ certificate: cert }).certificates[0]?.certificateName, 'old.ours.example')
})
