/** Tests `check --conformance` against local servers, and the criteria with facts that no local server produces. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { gatherServerConformance } from '../../../cli/check/conformance/check-conformance.ts'
import type { Facts } from '../../../cli/check/facts/facts.ts'
import { certificateCriteria } from '../../../shared/conformance/certificate-criteria.ts'
import { clientCriteria } from '../../../shared/conformance/client-criteria.ts'
import { compare } from '../../../shared/conformance/criterion.ts'
import type { TlsClientFacts, TlsServerFacts } from '../../../shared/conformance/facts.ts'
import { extensionTypes, readAnswer, writeClientHello } from '../../../shared/conformance/hello.ts'
import { measureServer } from '../../../shared/conformance/measure-server.ts'
import { serverCriteria } from '../../../shared/conformance/server-criteria.ts'
import { createIdentity } from '../../support/cli/check.ts'
import { mailflow } from '../../support/cli/mailflow.ts'
import { readHello } from '../../support/hello.ts'
import { listenSilently } from '../../support/listen.ts'
import { Random } from '../../support/random.ts'
import { type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const identity = await createIdentity()
const tls = { cert: identity.cert, key: identity.key }

async function conformanceOf(options: PartnerOptions) {
  const partner = await startPartner(options)
  const args = [`127.0.0.1:${partner.port}`, '--servername', 'mx.partner.example', '--json']
  const { out, status } = await mailflow(['check', '--conformance', ...args])
  await partner.stop()
  const results: { id: string; verdict: string; seen: string }[] = JSON.parse(out)
  return {
    status,
    of: (id: string) => {
      const { verdict, seen } = results.find((result) => result.id === id) ?? { verdict: 'none', seen: '' }
      return `${verdict}: ${seen}`
    },
  }
}

test('`check --conformance` of a server that accepts everything finds what each standard forbids', async () => {
  const everything = {
    minVersion: 'TLSv1' as const,
    ciphers: 'ALL:@SECLEVEL=0',
    ecdhCurve: 'P-224:P-256:brainpoolP256r1:X25519',
    sigalgs: 'ECDSA+SHA1:ECDSA+SHA224:ECDSA+SHA256',
    honorCipherOrder: true,
  }
  const { status, of } = await conformanceOf({ tls: { ...tls, ...everything } })
  assert.equal(status, 1)
  assert.equal(of('starttls'), 'PASS: offered')
  assert.equal(of('old-versions'), 'FAIL: TLSv1, TLSv1.1')
  assert.match(of('suites'), /^FAIL: .*TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA\b/)
  assert.match(of('suites-phase-out'), /^WARN: .*TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256/)
  assert.equal(of('groups-phase-out'), 'WARN: secp224r1')
  assert.match(of('groups-bsi-required'), /^NOT MEASURED: /, 'the certificate is on P-256')
  assert.equal(of('signature-sha1'), 'WARN: used')
  assert.equal(of('signature-sha224'), 'WARN: used')
  assert.equal(of('client-renegotiation'), 'FAIL: accepted')
  assert.equal(of('extended-master-secret'), 'PASS: used')
  assert.equal(of('encrypt-then-mac'), 'NOT MEASURED: no handshake shows it')
  assert.equal(of('certificate-trust'), 'WARN: not trusted')
  assert.equal(of('certificate-name'), 'PASS: has the name')
  assert.equal(of('dnssec'), 'CUSTOMER: depends on DNS or the network')
})

const servers: [name: string, options: PartnerOptions, expected: Record<string, RegExp>][] = [
  ['without STARTTLS', {}, { starttls: /^FAIL: not offered/, tls12: /^none: / }],
  [
    'with TLS 1.2 only, in which the client selects the suite',
    { tls: { ...tls, maxVersion: 'TLSv1.2' } },
    { tls13: /^FAIL: TLSv1\.2$/, 'early-data': /^NOT MEASURED: /, 'old-versions': /^PASS: / },
  ],
  [
    'with TLS 1.3 only',
    { tls: { ...tls, minVersion: 'TLSv1.3' } },
    { tls12: /^FAIL: TLSv1\.3$/, compression: /^NOT MEASURED: /, 'early-data': /^PASS: / },
  ],
]
for (const [name, options, expected] of servers)
  test(`\`check --conformance\` of a server ${name} reports what it measured and what it did not`, async () => {
    const { of } = await conformanceOf(options)
    for (const [id, pattern] of Object.entries(expected)) assert.match(of(id), pattern)
  })

test('`check --conformance` of a server that does not answer ends with exit status 1', async () => {
  const silent = await listenSilently()
  const { out, status } = await mailflow([
    'check',
    '--conformance',
    `127.0.0.1:${silent.port}`,
    '--timeout',
    '1',
  ])
  await silent.stop()
  assert.match(out, /^FAIL +starttls +not offered, or the server was not reached/m)
  assert.equal(status, 1)
})

const good: TlsServerFacts = {
  versions: ['TLSv1.2', 'TLSv1.3'],
  suites: { tls12: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'], tls13: ['TLS_AES_128_GCM_SHA256'] },
  groups: { tls12: ['secp256r1', 'brainpoolP256r1'], tls13: ['secp256r1'] },
  serverOrderDecides: true,
  dhBits: 0,
  weakSignatures: [],
  hello: {
    compression: false,
    extensions: [extensionTypes.renegotiationInfo, extensionTypes.extendedMasterSecret],
  },
  clientRenegotiation: 'Refused',
  ticket: { maxEarlyDataOctets: 0, lifetimeSeconds: 7200 },
  certificate: {
    keys: ['RSA 4096'],
    signatures: ['RSA-SHA256'],
    isTrusted: true,
    hasName: true,
    lifetimeDays: 90,
    namesOcspResponder: true,
    isStapled: true,
  },
}
const certificate = good.certificate as NonNullable<TlsServerFacts['certificate']>
const suites = (...tls12: string[]) => ({ suites: { ...good.suites, tls12 } })

describe('the criteria for servers', () => {
  const unmetOf = (facts: TlsServerFacts) =>
    compare([...serverCriteria, ...certificateCriteria], facts)
      .filter(({ verdict }) => verdict === 'FAIL' || verdict === 'WARN')
      .map(({ id, verdict }) => `${id} ${verdict}`)

  const cases: [name: string, change: Partial<TlsServerFacts>, unmet: string[]][] = [
    ['nothing is wrong', {}, []],
    ['SSL 3 is accepted', { versions: ['SSLv3', 'TLSv1.2', 'TLSv1.3'] }, ['old-versions FAIL']],
    [
      'a suite has static RSA',
      suites('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_RSA_WITH_AES_128_GCM_SHA256'),
      ['suites FAIL', 'forward-secrecy WARN', 'suites-bsi WARN', 'suites-nist FAIL', 'suites-mozilla WARN'],
    ],
    [
      'a suite that is to be phased out comes first',
      suites('TLS_DHE_RSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'),
      ['suites-phase-out WARN', 'suite-order FAIL'],
    ],
    [
      'brainpoolP256r1 is not offered',
      { groups: { tls12: ['secp256r1'], tls13: ['secp256r1'] } },
      ['groups-bsi-required FAIL'],
    ],
    ['DHE has 2048 bits', { dhBits: 2048 }, ['dh-size FAIL']],
    ['SHA-1 is used', { weakSignatures: ['SHA-1'] }, ['signature-sha1 WARN']],
    [
      'the server compresses, and answers with no extension',
      { hello: { compression: true, extensions: [] } },
      ['compression FAIL', 'secure-renegotiation FAIL', 'extended-master-secret FAIL'],
    ],
    [
      'heartbeat and truncated HMAC are used',
      {
        hello: {
          compression: false,
          extensions: [
            ...(good.hello?.extensions ?? []),
            extensionTypes.heartbeat,
            extensionTypes.truncatedHmac,
          ],
        },
      },
      ['truncated-hmac FAIL', 'heartbeat FAIL'],
    ],
    [
      'tickets permit early data and last a week',
      { ticket: { maxEarlyDataOctets: 16_384, lifetimeSeconds: 604_800 } },
      ['early-data FAIL', 'session-lifetime WARN'],
    ],
    [
      'the key has 2048 bits',
      { certificate: { ...certificate, keys: ['RSA 2048'] } },
      ['certificate-key-3000 FAIL'],
    ],
    [
      'an intermediate has 1024 bits, and SHA-1 signs it',
      {
        certificate: {
          ...certificate,
          keys: ['RSA 4096', 'RSA 1024'],
          signatures: ['RSA-SHA256', 'RSA-SHA1'],
        },
      },
      ['certificate-key FAIL', 'certificate-key-3000 FAIL', 'certificate-signature FAIL'],
    ],
    [
      'no OCSP response is stapled',
      { certificate: { ...certificate, isStapled: false } },
      ['ocsp-stapling FAIL'],
    ],
  ]
  for (const [name, change, unmet] of cases)
    test(`when ${name}, are met but for ${unmet.join(', ') || 'none'}`, () => {
      // Mozilla's list and the BSI's required curve exclude each other.
      const unmetOfGood = change.groups ? [] : ['groups-mozilla WARN']
      assert.deepEqual(unmetOf({ ...good, ...change }).sort(), [...unmetOfGood, ...unmet].sort())
    })
})

test('a presented certificate whose key cannot be read fails the criteria for keys', async () => {
  const leaf = new X509Certificate(identity.cert)
  // The second OID of the public key is of no known algorithm.
  const unreadable = leaf.raw.toString('hex').replace('06072a8648ce3d0201', '06072a8648ce3d0209')
  const presented = [leaf, new X509Certificate(Buffer.from(unreadable, 'hex'))]
  const facts = {
    expected: null,
    server: { attempts: [{ ip: '127.0.0.1', outcome: { kind: 'Tls', tls: { kind: 'Established' } } }] },
    certificates: { presented, trust: { trusted: false }, staple: null },
  } as unknown as Facts
  const silent = await listenSilently()
  await silent.stop()
  const measured = await gatherServerConformance(
    facts,
    { host: 'mx.partner.example', port: silent.port },
    1000,
  )
  assert.deepEqual(measured?.certificate?.keys, ['prime256v1', 'unreadable'])
  const results = compare(certificateCriteria, measured as TlsServerFacts)
  assert.ok(results.some(({ verdict, seen }) => verdict === 'FAIL' && seen === 'unreadable'))
})

test('without time left, the measurement makes no connection and reports no fact', async () => {
  const partner = await startPartner({ tls })
  const endpoint = { host: 'mx.partner.example', ip: '127.0.0.1', port: partner.port }
  const facts = await measureServer(
    endpoint,
    { serverName: null, timeout: 10_000, ehloName: '[127.0.0.1]' },
    0,
  )
  await partner.stop()
  assert.equal(partner.connections(), 0)
  assert.ok(
    compare(serverCriteria, facts).every(({ verdict }) => !['PASS', 'WARN', 'FAIL'].includes(verdict)),
  )
})

test('the criteria for clients name what a client lacks', () => {
  const weak: TlsClientFacts = {
    versions: { byDefault: ['TLSv1.2', 'TLSv1.1'], tls13Required: ['TLSv1.3'] },
    suites: ['TLS_RSA_WITH_AES_128_GCM_SHA256'],
    groups: ['secp256r1'],
    signatures: [0x0403, 0x0201],
    compressionMethods: [1, 0],
    extensions: [extensionTypes.heartbeat],
    verification: { good: null, untrusted: null, otherName: '4.7.325' },
  }
  const met = compare(clientCriteria, weak).filter(({ verdict }) => verdict === 'PASS')
  assert.deepEqual(
    met.map(({ id }) => id),
    ['client-tls13-required'],
  )
})

test('readAnswer never throws, whatever a server sends', () => {
  const random = new Random(7)
  const hello = writeClientHello({
    version: 'TLSv1.2',
    suites: [0xc02b],
    groups: [23],
    signatures: [0x0403],
    serverName: 'mx.partner.example',
  })
  assert.equal(readHello(hello).suites[0], 0xc02b)
  for (let run = 0; run < 300; run++) {
    const octets = Buffer.from(hello)
    octets[5] = 2
    for (let change = 0; change < 4; change++)
      octets[random.between(0, octets.length)] = random.between(0, 256)
    assert.doesNotThrow(() => readAnswer(octets.subarray(0, random.between(0, octets.length))))
  }
})
