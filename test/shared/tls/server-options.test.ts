/** Real handshakes with the ingress's TLS options. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls'
import { serverTlsOptions } from '../../../shared/tls/server-options.ts'
import { listen } from '../../support/listen.ts'
import { selfSigned } from '../../support/pki.ts'
import { within } from '../../support/within.ts'

const { key, cert } = await selfSigned({ names: ['mx.ours.example'] })
const client = await selfSigned({ names: ['mail.contoso.example'] })
const server = createServer(serverTlsOptions(key, cert), (socket) =>
  socket.on('error', () => {}).end('hello'),
)
const { port, stop } = await listen(server)
after(stop)

async function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  await within(10_000, once(socket, 'secureConnect'), 'the handshake')
  return socket.resume()
}

const supportedClients: [
  name: string,
  options: ConnectionOptions,
  protocol: string,
  cipher: string,
  group: string,
][] = [
  ['a client with the defaults of Node', {}, 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', 'X25519MLKEM768'],
  [
    'a client that prefers a weaker suite and group',
    { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384', ecdhCurve: 'P-256:X25519:X25519MLKEM768' },
    'TLSv1.3',
    'TLS_AES_256_GCM_SHA384',
    'X25519MLKEM768',
  ],
  [
    'a client without the hybrid group',
    { ecdhCurve: 'P-384:X25519' },
    'TLSv1.3',
    'TLS_AES_256_GCM_SHA384',
    'secp384r1',
  ],
  [
    'a TLS 1.2 client',
    { maxVersion: 'TLSv1.2', ecdhCurve: 'P-256' },
    'TLSv1.2',
    'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    'prime256v1',
  ],
]

for (const [name, options, protocol, cipher, group] of supportedClients)
  test(`${name} gets ${protocol}, ${cipher} and ${group}`, async () => {
    const socket = await handshake(options)
    const ephemeralKey = socket.getEphemeralKeyInfo() as { name?: string }
    assert.deepEqual(
      [socket.getProtocol(), socket.getCipher().standardName, ephemeralKey.name],
      [protocol, cipher, group],
    )
  })

const unsupportedClients: [name: string, options: ConnectionOptions][] = [
  ['TLS 1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
  ['CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA' }],
  ['static RSA', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:AES256-GCM-SHA384' }],
  ['finite-field DHE', { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES256-GCM-SHA384' }],
]

for (const [name, options] of unsupportedClients)
  test(`a client that offers only ${name} gets no TLS`, () =>
    assert.rejects(handshake(options), /alert (protocol version|handshake failure)|handshake_failure/i))

test('a handshake with an untrusted client certificate succeeds, and without ticket keys no TLS session is resumed', async () => {
  const sessions: Buffer[] = []
  const first = await handshake({ ...client, maxVersion: 'TLSv1.2' })
  sessions.push(first.getSession() as Buffer)
  const modern = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...client,
  })
  modern.on('session', (session) => sessions.push(session)).resume()
  await within(10_000, once(modern, 'close'), 'the end of the connection')
  for (const session of sessions)
    assert.equal((await handshake({ ...client, session })).isSessionReused(), false)
})
