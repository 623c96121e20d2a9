/** Without the replaced functions, the handshake with this server ends the process; so a child process makes it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'
import { host } from '../../support/hostile-certificates.ts'
import { listen } from '../../support/listen.ts'
import { type Issued, issueAuthority, issueLeaf } from '../tls/chains/openssl.ts'

const run = promisify(execFile)
const module = join(import.meta.dirname, '../../../shared/net/peer-certificate.ts')
const program = `
  import ${JSON.stringify(module)}
  import { connect } from 'node:tls'
  const [port, ca, servername] = process.argv.slice(1)
  const socket = connect({ port: Number(port), host: '127.0.0.1', ca, servername })
  socket.once('secureConnect', () => {
    const read = () => socket.getPeerX509Certificate()
    console.log(read().subjectAltName, read().issuerCertificate !== undefined)
    socket.destroy()
  })
  socket.once('error', ({ code }) => console.log(code))
`

/** The output of a client that trusts the authority. */
async function connectTo(presented: readonly Issued[], authority: Issued, name: string): Promise<string> {
  const server = createServer({
    cert: presented.map(({ cert }) => cert).join(''),
    key: presented[0]?.key ?? '',
  })
  server.on('secureConnection', (socket) => socket.on('error', () => {}))
  server.on('tlsClientError', () => {})
  const { port, stop } = await listen(server)
  try {
    const args = ['--input-type=module', '-e', program, `${port}`, authority.cert, name]
    return (await run(process.execPath, args, { timeout: 20_000 })).stdout.trim()
  } finally {
    await stop()
  }
}

const root = await issueAuthority({ subject: '/CN=Root CA' })
const onSecp256k1 = { key: 'ec -pkeyopt ec_paramgen_curve:secp256k1' }

test('a server cannot end the process by a false issuer with a key on secp256k1', async () => {
  const leaf = await issueLeaf({ by: root, options: '-addext authorityKeyIdentifier=none' })
  const falseRoot = await issueAuthority({ subject: '/CN=Root CA', ...onSecp256k1 })
  assert.equal(await connectTo([leaf, falseRoot], root, host), `DNS:${host} true`)
})

test('a server cannot end the process by an intermediate certificate with a key on secp256k1', async () => {
  const intermediate = await issueAuthority({ by: root, ...onSecp256k1 })
  const leaf = await issueLeaf({ by: intermediate })
  assert.equal(await connectTo([leaf, intermediate], root, host), `DNS:${host} true`)
})

test('a server cannot end the process by a certificate with a key on brainpoolP256r1', async () => {
  const leaf = await issueLeaf({ by: root, key: 'ec -pkeyopt ec_paramgen_curve:brainpoolP256r1' })
  assert.equal(await connectTo([leaf], root, host), 'ERR_TLS_CERT_ALTNAME_INVALID')
})

test("Node's own check of the server's name still compares the names of the certificate", async () => {
  const leaf = await issueLeaf({ by: root })
  assert.equal(await connectTo([leaf], root, 'mx.other.example'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  assert.equal(await connectTo([leaf], root, host), `DNS:${host} false`)
})
