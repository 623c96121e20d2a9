/** Compares the published protocol with handshakes that offer one suite, group or version each. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect, createServer, getCiphers } from 'node:tls'
import { servedProtocol, serverTlsOptions } from '../../../shared/tls/server-options.ts'
import { listen } from '../../support/listen.ts'
import { createPki } from '../../support/pki.ts'
import { within } from '../../support/within.ts'

const pki = await createPki()
const [ec, rsa] = await Promise.all([
  pki.issue({ names: ['mx.ours.example'] }),
  pki.issue({ names: ['mx.ours.example'], rsa: true }),
])

const served: [keyTypes: string[], identities: { key: string; cert: string }[]][] = [
  [['EC'], [ec]],
  [['RSA'], [rsa]],
  [
    ['EC', 'RSA'],
    [ec, rsa],
  ],
]

/** All suites of the local OpenSSL, by its names. */
const everySuite = getCiphers().map((name) => name.toUpperCase())
const everyGroup = [
  'X25519MLKEM768',
  'SecP256r1MLKEM768',
  'X25519',
  'X448',
  'P-256',
  'P-384',
  'P-521',
  'brainpoolP256r1',
  'ffdhe2048',
]

/** Signature algorithms of OpenSSL, the type of the key that the server accepts for each, and the TLS versions. */
const everySignature: [sigalgs: string, keyType: 'EC' | 'RSA' | null, ...versions: string[]][] = [
  ['ECDSA+SHA1', null],
  ['ECDSA+SHA224', null],
  // TLS 1.3 binds the hash to the curve of the key, here P-256 (RFC 8446 §4.2.3).
  ['ECDSA+SHA256', 'EC', 'TLSv1.2', 'TLSv1.3'],
  ['ECDSA+SHA384', 'EC', 'TLSv1.2'],
  ['ECDSA+SHA512', 'EC', 'TLSv1.2'],
  ['RSA+SHA1', null],
  ['RSA+SHA224', null],
  ['RSA+SHA256', 'RSA', 'TLSv1.2'],
  ['RSA+SHA384', 'RSA', 'TLSv1.2'],
  ['RSA+SHA512', 'RSA', 'TLSv1.2'],
  ['rsa_pss_rsae_sha256', 'RSA', 'TLSv1.2', 'TLSv1.3'],
  ['rsa_pss_rsae_sha384', 'RSA', 'TLSv1.2', 'TLSv1.3'],
  ['rsa_pss_rsae_sha512', 'RSA', 'TLSv1.2', 'TLSv1.3'],
]
/** IANA names by the names that Node returns. */
const ianaGroups: Record<string, string> = { X25519: 'x25519', prime256v1: 'secp256r1' }

for (const [keyTypes, identities] of served) {
  const server = createServer(
    serverTlsOptions(
      identities.map(({ key }) => key).join('\n'),
      identities.map(({ cert }) => cert).join('\n'),
    ),
    (socket) => socket.on('error', () => {}).end('hello'),
  )
  server.on('tlsClientError', () => {})
  const { port, stop } = await listen(server)
  after(stop)
  const publishedProtocol = servedProtocol(keyTypes)
  const which = `with certificates for the key types ${keyTypes.join(' and ')}`

  test(`${which}, the published cipher suites are exactly those that a client can negotiate`, async () => {
    const agreed = await Promise.all(
      everySuite.map(async (suite) => {
        const isModern = suite.startsWith('TLS_')
        const version = isModern ? 'TLSv1.3' : 'TLSv1.2'
        return negotiate(
          port,
          {
            ciphers: isModern ? suite : `${suite}:@SECLEVEL=0`,
            minVersion: isModern ? version : 'TLSv1',
            maxVersion: version,
          },
          (socket) => socket.getCipher().standardName,
        )
      }),
    )
    assert.deepEqual(withoutNulls(agreed).sort(), [...publishedProtocol.cipherSuites].sort())
  })

  test(`${which}, a client that supports every suite gets the first published suite of its TLS version`, async () => {
    const [first] = publishedProtocol.cipherSuites
    const firstOld = publishedProtocol.cipherSuites.find((name) => name.includes('_WITH_'))
    const suiteOf = (maxVersion: 'TLSv1.3' | 'TLSv1.2') =>
      negotiate(port, { maxVersion }, (socket) => socket.getCipher().standardName)
    assert.equal(await suiteOf('TLSv1.3'), first)
    assert.equal(await suiteOf('TLSv1.2'), firstOld)
  })

  test(`${which}, the published groups are exactly those that a client can negotiate`, async () => {
    const agreed = await Promise.all(
      everyGroup.map((group) => negotiate(port, { ecdhCurve: group, minVersion: 'TLSv1.3' }, groupOf)),
    )
    assert.deepEqual(withoutNulls(agreed), publishedProtocol.groups)
  })

  test(`${which}, the published TLS versions are exactly those that a client can negotiate`, async () => {
    const versions = ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1'] as const
    const agreed = await Promise.all(
      versions.map((version) =>
        negotiate(
          port,
          {
            minVersion: version,
            maxVersion: version,
            ...(version < 'TLSv1.2' && { ciphers: 'DEFAULT@SECLEVEL=0' }),
          },
          (socket) => socket.getProtocol(),
        ),
      ),
    )
    assert.deepEqual(withoutNulls(agreed), publishedProtocol.versions)
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    test(`${which}, a client of ${version} can negotiate the signature algorithms with SHA-256 or better, and no other`, async () => {
      const agreed = await Promise.all(
        everySignature.map(([sigalgs]) =>
          negotiate(
            port,
            { sigalgs, ciphers: 'DEFAULT:@SECLEVEL=0', minVersion: version, maxVersion: version },
            () => sigalgs,
          ),
        ),
      )
      const expected = everySignature.filter(
        ([, key, ...versions]) => key !== null && keyTypes.includes(key) && versions.includes(version),
      )
      assert.deepEqual(
        withoutNulls(agreed),
        expected.map(([sigalgs]) => sigalgs),
      )
    })
}

type Socket = ReturnType<typeof connect>

function groupOf(socket: Socket): string {
  const { name = '' } = socket.getEphemeralKeyInfo() as { name?: string }
  return ianaGroups[name] ?? name
}

/** @returns null if the handshake fails */
async function negotiate<T>(
  port: number,
  options: ConnectionOptions,
  read: (socket: Socket) => T,
): Promise<T | null> {
  let socket: Socket
  try {
    socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  } catch {
    // OpenSSL cannot offer this value.
    return null
  }
  try {
    await within(10_000, once(socket, 'secureConnect'), 'the handshake')
    return read(socket)
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

const withoutNulls = <T>(values: readonly (T | null)[]): T[] => [
  ...new Set(values.filter((value) => value !== null)),
]
