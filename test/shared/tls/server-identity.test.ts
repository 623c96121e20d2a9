import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import { serverIdentities } from '../../../shared/tls/server-identity.ts'
import { createPki, type Identity } from '../../support/pki.ts'

const pki = await createPki('Root')
const [ecAuthority, rsaAuthority] = [await pki.subordinate('EC issuer'), await pki.subordinate('RSA issuer')]
const ec = await ecAuthority.issue({ names: ['mx.ours.example'], commonName: 'ec' })
const rsa = await rsaAuthority.issue({ names: ['mx.ours.example'], commonName: 'rsa', rsa: true })
const secondEc = await pki.issue({ names: ['mx.ours.example'], commonName: 'second' })

const subjects = (pem: string) => certificatesIn(pem).map((block) => new X509Certificate(block).subject)
const text = (...parts: string[]) => parts.join('\n')
const backwards = (pem: string) => certificatesIn(pem).reverse().join('\n')

const orders: [name: string, keys: string, certificates: string][] = [
  ['the same order', text(ec.key, rsa.key), text(ec.cert, rsa.cert)],
  ['keys in reverse order', text(rsa.key, ec.key), text(ec.cert, rsa.cert)],
  ['issuers before their certificates', text(ec.key, rsa.key), backwards(text(ec.cert, rsa.cert))],
  ['a certificate twice', text(ec.key, rsa.key), text(ec.cert, rsa.cert, ec.cert)],
  ['text between the blocks', `EC\n${ec.key}\nRSA\n${rsa.key}`, `# ours\n${ec.cert}\n# theirs\n${rsa.cert}`],
]

for (const [name, keys, certificates] of orders)
  test(`each key gets its certificate, followed by its own issuers, with ${name} in the given texts`, () => {
    const found = serverIdentities(keys, certificates)
    assert.deepEqual(
      new Set(found.map(({ cert }) => subjects(cert).join(' < '))),
      new Set(['CN=ec < CN=EC issuer', 'CN=rsa < CN=RSA issuer']),
    )
    for (const { key, cert } of found)
      assert.ok(createPublicKey(key).equals(new X509Certificate(cert).publicKey))
  })

test('a given root is presented after its issuers, because TLSA records may name the root', () => {
  const [identity] = serverIdentities(ec.key, text(pki.ca, ec.cert))
  assert.deepEqual(subjects(identity?.cert ?? ''), ['CN=ec', 'CN=EC issuer', 'CN=Root'])
})

test('a key in the PEM format of PKCS #1 is read', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const older = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  assert.throws(() => serverIdentities(older, rsa.cert), /no certificate matches key 1 \(RSA\)/)
})

const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
const brokenKey = broken.replaceAll('CERTIFICATE', 'PRIVATE KEY')
const locked = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'secret' },
}).privateKey

const faults: [name: string, keys: string, certificates: string, fault: RegExp][] = [
  ['neither key nor certificate', '', '', /^TLS_CERTIFICATE: holds no certificate in PEM$/],
  ['a certificate without any key', '', ec.cert, /^TLS_PRIVATE_KEY: holds no private key in PEM$/],
  [
    'an invalid certificate',
    ec.key,
    text(ec.cert, broken),
    /^TLS_CERTIFICATE: certificate 3 in PEM cannot be read$/,
  ],
  ['an invalid key', text(ec.key, brokenKey), ec.cert, /^TLS_PRIVATE_KEY: key 2 in PEM cannot be read$/],
  [
    'an encrypted key',
    locked,
    ec.cert,
    /^TLS_PRIVATE_KEY: key 1 in PEM is encrypted; give it without a passphrase$/,
  ],
  [
    'a second key without a certificate',
    text(ec.key, rsa.key),
    ec.cert,
    /^TLS_CERTIFICATE: no certificate matches key 2 \(RSA\) in TLS_PRIVATE_KEY$/,
  ],
  [
    'a second certificate without a key',
    ec.key,
    text(ec.cert, rsa.cert),
    /^TLS_PRIVATE_KEY: no key matches the certificate CN=rsa \([0-9a-f]{16}\)$/,
  ],
  [
    'a second key of the same type',
    text(ec.key, secondEc.key),
    text(ec.cert, secondEc.cert),
    /^TLS_PRIVATE_KEY: the keys of CN=ec \([0-9a-f]{16}\) and CN=second \([0-9a-f]{16}\) are both EC; give one key of each type$/,
  ],
  [
    'the same key twice',
    text(ec.key, ec.key),
    ec.cert,
    /^TLS_PRIVATE_KEY: the keys of CN=ec .* and CN=ec .* are both EC/,
  ],
]

for (const [name, keys, certificates, fault] of faults)
  test(`serverIdentities throws an error of one line, which names the variable, for ${name}`, () => {
    assert.throws(
      () => serverIdentities(keys, certificates),
      ({ message }: Error) => {
        assert.match(message, fault)
        assert.ok(!message.includes('\n'))
        return true
      },
    )
  })

test('serverIdentities throws for two certificates of one key, as after a renewal, because the choice is ambiguous', async () => {
  const renewed = await renewedWithItsKey(ec)
  assert.throws(
    () => serverIdentities(ec.key, text(ec.cert, renewed)),
    /^Error: TLS_CERTIFICATE: CN=ec \([0-9a-f]{16}\) and CN=renewed \([0-9a-f]{16}\) both match key 1 \(EC\)/,
  )
})

/** Another certificate for the same key. */
async function renewedWithItsKey({ key }: Identity): Promise<string> {
  const { X509CertificateGenerator, PemConverter } = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const der = PemConverter.decodeFirst(key)
  const privateKey = await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign'])
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const publicKey = await crypto.subtle.importKey('spki', spki, algorithm, true, ['verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=renewed',
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
  })
  return certificate.toString('pem')
}
