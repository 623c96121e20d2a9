/** Tests what `check` fetches and receives: issuers in every format, useless responses, stapled OCSP responses. */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createServer as createTls, type TLSSocket } from 'node:tls'
import { AuthorityInfoAccessExtension, X509Certificate as Written, X509Certificates } from '@peculiar/x509'
import { runCheck } from '../../support/cli/check.ts'
import { firstOf } from '../../support/hostile-certificates.ts'
import { createPki, type Identity, type Pki } from '../../support/pki.ts'
import { createOcspResponse } from '../../support/revocation-documents.ts'

const names = ['mx.partner.example']
const folder = mkdtempSync(join(tmpdir(), 'mailflow-fetched-'))
const rootFile = join(folder, 'root.pem')
let root: Pki
let issuing: Pki
const answers = new Map<string, (response: ServerResponse) => void>()
const web = createHttp((request, response) => {
  const answer = answers.get(request.url ?? '')
  if (answer) answer(response)
  else response.writeHead(404).end()
})

before(async () => {
  root = await createPki('Fetched Root')
  issuing = await root.subordinate('Fetched Issuing')
  writeFileSync(rootFile, root.ca)
  await once(web.listen(0, '127.0.0.1'), 'listening')
})
after(async () => {
  web.closeAllConnections()
  await new Promise((resolve) => web.close(resolve))
  rmSync(folder, { recursive: true })
})

const urlOf = (path: string): string => `http://127.0.0.1:${(web.address() as AddressInfo).port}${path}`

/** Checks a file with only a leaf whose issuer URL has this path. */
async function withIssuerAt(path: string, ...args: string[]) {
  const extensions = [new AuthorityInfoAccessExtension({ caIssuers: urlOf(path) })]
  const { cert } = await issuing.issue({ names, extensions })
  const file = join(folder, 'leaf.pem')
  writeFileSync(file, firstOf(cert))
  return runCheck('--certificate', file, '--ca', rootFile, ...args)
}

const derOf = (pem: string): Buffer => new X509Certificate(pem).raw

const bagOf = (pems: string[]): Buffer =>
  Buffer.from(new X509Certificates(pems.map((pem) => new Written(pem))).export('raw'))

describe('the certificate of an issuer', () => {
  const forms: [string, () => Buffer | string][] = [
    ['in DER', () => derOf(issuing.ca)],
    ['in PEM', () => issuing.ca],
    ['in a PKCS #7 bag of certificates', () => bagOf([root.ca, issuing.ca])],
  ]
  for (const [form, body] of forms)
    test(`that the chain lacks is fetched ${form}`, async () => {
      answers.set('/issuer', (response) => response.end(body()))
      const output = await withIssuerAt('/issuer')
      assert.match(output.line('issuer'), /^OK .*fetched; the issuer is "Fetched Issuing"$/)
      assert.match(
        output.line('chain'),
        /^FAIL .*1 certificate; "Fetched Issuing" missing; available at http:\S+\/issuer → /,
      )
      assert.match(output.line('root'), /^OK .*"Fetched Root"/)
    })

  test('is also fetched when a fetched certificate names it as its issuer', async () => {
    const extensions = [new AuthorityInfoAccessExtension({ caIssuers: urlOf('/second') })]
    const second = await root.subordinate('Second')
    const first = await second.subordinate('First', { extensions })
    answers.set('/first', (response) => response.end(derOf(first.ca)))
    answers.set('/second', (response) => response.end(derOf(second.ca)))
    const access = [new AuthorityInfoAccessExtension({ caIssuers: urlOf('/first') })]
    const file = join(folder, 'deep.pem')
    writeFileSync(file, firstOf((await first.issue({ names, extensions: access })).cert))
    const output = await runCheck('--certificate', file, '--ca', rootFile)
    assert.match(
      output.line('chain'),
      /^FAIL .*"First", "Second" missing; available at \S+\/first and \S+\/second → /,
    )
    assert.match(output.line('root'), /^OK .*"Fetched Root"/)
  })

  test('is not reported as missing when it is fetched and is an unknown root', async () => {
    const unrelated = await createPki('Stranger Root')
    answers.set('/unrelated', (response) => response.end(derOf(unrelated.ca)))
    const extensions = [new AuthorityInfoAccessExtension({ caIssuers: urlOf('/unrelated') })]
    const file = join(folder, 'unrelated.pem')
    writeFileSync(file, (await unrelated.issue({ names, extensions })).cert)
    const output = await runCheck('--certificate', file)
    assert.match(output.line('chain'), /^OK .*1 certificate, complete and in order$/)
    assert.match(output.line('root'), /^FAIL .*"Stranger Root" is not in the trust store/)
  })

  const useless: [string, (response: ServerResponse) => void, RegExp, timeout?: string][] = [
    [
      'another certificate',
      (response) => response.end(derOf(root.ca)),
      /^WARN .*fetched, but it does not contain the issuer's certificate → /,
    ],
    ['no certificate', (response) => response.end('<html>'), /^WARN .*the response is not a certificate → /],
    ['an HTTP error', (response) => response.writeHead(500).end(), /^WARN .*HTTP status 500 → /],
    [
      'a redirection, which is not followed',
      (response) => response.writeHead(302, { Location: urlOf('/issuer') }).end(),
      /^WARN .*HTTP status 302 → /,
    ],
    [
      'more than 256 KiB',
      (response) => response.end(Buffer.alloc(300_000)),
      /^WARN .*larger than 262144 octets → /,
    ],
    ['nothing before the timeout', () => {}, /^WARN .*(no answer|not done) within 1 s → /, '1'],
  ]
  for (const [title, answer, expected, timeout = '30'] of useless)
    test(`has a WARN of its own, beside the FAIL of the chain, when its URL returns ${title}`, async () => {
      answers.set('/useless', answer)
      const output = await withIssuerAt('/useless', '--timeout', timeout)
      assert.match(output.line('issuer'), expected)
      assert.match(output.line('chain'), /^FAIL .*"Fetched Issuing", the issuer of/)
    })

  test('is fetched once when two certificates name the same URL', async () => {
    let requestCount = 0
    answers.set('/once', (response) => {
      requestCount += 1
      response.end(derOf(root.ca))
    })
    const extensions = [new AuthorityInfoAccessExtension({ caIssuers: urlOf('/once') })]
    const below = await root.subordinate('Below', { extensions })
    const file = join(folder, 'once.pem')
    writeFileSync(file, (await below.issue({ names, extensions })).cert)
    const output = await runCheck('--certificate', file, '--ca', rootFile)
    assert.deepEqual([output.lines('issuer').length, requestCount], [2, 1])
  })
})

/** Starts a mail server that staples an OCSP response, like nginx and Exim. */
async function stapling(identity: Identity, staple: Buffer) {
  const tls = createTls({ ...identity })
  tls.on('OCSPRequest', (_certificate, _issuer, done) => done(null, staple))
  tls.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write('250 mx.partner.example\r\n'))
  })
  tls.on('tlsClientError', () => {})
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write('220 mx.partner.example ESMTP\r\n')
    socket.on('data', (octets) => {
      if (!/^STARTTLS/.test(octets.toString())) return void socket.write('250-mx\r\n250 STARTTLS\r\n')
      socket.removeAllListeners('data')
      socket.write('220 go ahead\r\n')
      tls.emit('connection', socket)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('the finding about a stapled OCSP response', () => {
  const rows: [string, (issuer: Pki, certificate: string) => Promise<Buffer>, RegExp][] = [
    [
      'is OK for a good certificate',
      (issuer, certificate) => createOcspResponse(issuer, { certificate, status: 'good' }),
      /^OK .*stapled OCSP response: signature valid, .*, not revoked$/,
    ],
    [
      'is FAIL for a revoked certificate',
      (issuer, certificate) => createOcspResponse(issuer, { certificate, status: 'revoked' }),
      /^FAIL .*stapled OCSP response: revoked on \S+Z: \w+ → /,
    ],
    [
      'is WARN for a response with a wrong signature',
      async (issuer, certificate) => {
        const impostor = await createPki('Impostor')
        return createOcspResponse(issuer, {
          certificate,
          status: 'good',
          signedBy: { sign: impostor.sign, certificate: impostor.ca },
        })
      },
      /^WARN .*unusable: The OCSP response is not signed by the issuer or its delegate → /,
    ],
    [
      'is WARN for an unreadable response',
      async () => Buffer.from('hello'),
      /^WARN .*unusable: The OCSP response cannot be read → /,
    ],
  ]
  for (const [title, make, expected] of rows)
    test(title, async () => {
      const identity = await issuing.issue({ names })
      const server = await stapling(identity, await make(issuing, firstOf(identity.cert)))
      const output = await runCheck(
        `127.0.0.1:${server.port}`,
        '--ca',
        rootFile,
        '--servername',
        names[0] ?? '',
      )
      await server.stop()
      assert.match(output.line('staple'), expected)
    })
})
