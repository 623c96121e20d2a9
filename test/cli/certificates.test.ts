import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import type { PublishedCertificates, TlsaStatus } from '../../shared/contract/certificates.ts'
import { describeCertificates } from '../../shared/tls/describe-certificates.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'
import { certificateWith } from '../support/odd-certificates.ts'

const now = Date.parse('2026-11-29T12:00:00.000Z')
let api: HttpApi
let results: PublishedCertificates

before(async () => {
  api = await startApi(() => now)
})
after(() => api.stop())

test('`certificates` fails before the gateway has published certificates, and names this cause', async () => {
  const { status, out, err } = await api.mailflow('certificates')
  assert.deepEqual([status, out], [1, ''])
  assert.match(err, /No certificate is published yet/)
})

test('`certificates` prints the attributes, the TLSA record and the TLS parameters of the published certificates', async () => {
  results = describeCertificates(
    {
      certificate: await certificateWith({
        subject: 'CN=mx.ours.example, O="Ours, Inc."',
        notBefore: new Date('2026-01-02T03:04:05Z'),
        notAfter: new Date('2027-01-02T03:04:05Z'),
      }),
      servedFrom: '2026-02-03T04:05:06.000Z',
      deprecated: [],
    },
    { hostname: 'mx.ours.example', now: new Date(now) },
  )
  await new PublishedCertificatesItem(api.database.documents, api.database.connectorsTable).write(results, {
    revision: 0,
  })
  const [certificate] = results.certificates
  const { status, out } = await api.mailflow('certificates')
  assert.equal(status, 0)
  assert.equal(
    out,
    `mx.ours.example, last changed 2026-11-29 12:00 UTC

Current: mx.ours.example
  Certificate authority root issuer  mx.ours.example
  Certificate name                   mx.ours.example
  Organization                       Ours, Inc.
  Organization unit                  none
  Certificate key strength           EC, 256 bits
  Issued by                          ${certificate?.issuer}
  Valid from                         2026-01-02 03:04 UTC
  Valid until                        2027-01-02 03:04 UTC
  Served                             from 2026-02-03 04:05 UTC
  Serial number                      ${certificate?.serial}
  SHA-256 of the certificate         ${certificate?.fingerprint256}
  SHA-256 of its public key          ${certificate?.publicKeyFingerprint256}

TLSA records (the zone must be signed with DNSSEC)
  _25._tcp.mx.ours.example. IN TLSA 3 1 1 ${certificate?.publicKeyFingerprint256}

TLS parameters, in order of preference
  Versions  TLSv1.3, TLSv1.2
  Suites    TLS_AES_256_GCM_SHA384
            TLS_AES_128_GCM_SHA256
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
  Groups    X25519MLKEM768, x25519, secp256r1, secp384r1
`,
  )
})

test('`certificates --json` prints the API’s response unchanged', async () => {
  assert.deepEqual(JSON.parse((await api.mailflow('certificates', '--json')).out), results)
})

const record = `_25._tcp.mx.ours.example. IN TLSA 3 1 1 ${'ab'.repeat(32)}`
const statuses: [TlsaStatus['state'], usableFrom: string | null, text: string][] = [
  [
    'Missing',
    null,
    `The next key waits for its TLSA record, since 2026-11-29 11:00 UTC. Publish, and keep the records above:\n  ${record}\n`,
  ],
  [
    'Unknown',
    null,
    'The next key waits: the lookup of the TLSA records has failed since 2026-11-29 11:00 UTC.\n',
  ],
  [
    'Visible',
    '2026-11-29T13:00:00.000Z',
    'The TLSA records match the next key since 2026-11-29 11:00 UTC; it is not used before 2026-11-29 13:00 UTC.\n',
  ],
]
for (const [revision, [state, usableFrom, text]] of statuses.entries())
  test(`\`certificates\` prints what to do when the TLSA status of the next key is ${state}`, async () => {
    const nextTlsa = { state, since: '2026-11-29T11:00:00.000Z', usableFrom, records: [record] }
    const item = new PublishedCertificatesItem(api.database.documents, api.database.connectorsTable)
    assert.ok(await item.write({ ...results, nextTlsa }, { revision: revision + 1 }))
    assert.ok((await api.mailflow('certificates')).out.includes(`\n\n${text}\nTLS parameters`))
    assert.deepEqual(JSON.parse((await api.mailflow('certificates', '--json')).out).nextTlsa, nextTlsa)
  })
