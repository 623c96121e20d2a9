/** Tests `check` against local servers with and without TLS, and unreachable servers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseTarget } from '../../../cli/check/target.ts'
import { createIdentity, runCheck } from '../../support/cli/check.ts'
import { startTestIngress } from '../../support/ingress/ingress.ts'
import { createPki } from '../../support/pki.ts'
import { type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const launcher = join(import.meta.dirname, '../../../cli/mailflow.js')
const identity = await createIdentity()

async function against(options: PartnerOptions, ...args: string[]) {
  const partner = await startPartner(options)
  try {
    return { ...(await runCheck(`127.0.0.1:${partner.port}`, ...args)), port: partner.port, partner }
  } finally {
    await partner.stop()
  }
}

const tls = { cert: identity.cert, key: identity.key }
const rsa = await createIdentity({ rsa: true })
const anything = 'ALL:@SECLEVEL=0'

describe('the check of a server with TLS', () => {
  test('has findings about connection, greeting, STARTTLS, protocol, cipher suite and older versions', async () => {
    const { line, port } = await against({ tls })
    assert.match(
      line('connection'),
      new RegExp(`^OK .*connected to 127\\.0\\.0\\.1, port ${port}, in \\d+ ms$`),
    )
    assert.match(line('greeting'), /^OK .*220 partner\.example ESMTP$/)
    assert.match(line('starttls'), /^OK .*offered/)
    assert.match(line('protocol'), /^OK +protocol +TLSv1\.3$/)
    assert.match(
      line('cipher'),
      /^OK .*TLS_AES_256_GCM_SHA384, key exchange X25519MLKEM768, forward secrecy$/,
    )
    assert.match(line('older'), /^OK .*TLS 1\.0 and 1\.1 are refused/)
  })

  test('sends only EHLO, STARTTLS and QUIT', async () => {
    const { partner } = await against({ tls })
    assert.deepEqual(
      partner.commands.filter((each) => !/^(EHLO \S+|STARTTLS|QUIT)$/.test(each)),
      [],
    )
    assert.ok(partner.commands.includes('STARTTLS'))
  })

  const chunking = { tls, extensions: ['CHUNKING'] }
  const refusal = (line: string) => (line.startsWith('BDAT') ? '502 5.5.1 what?' : undefined)
  for (const [options, finding] of [
    [chunking, /^OK +chunking +announced; mail is sent by BDAT$/],
    [
      { ...chunking, answer: refusal },
      /^WARN +chunking +announced, but BDAT is refused: 502 5\.5\.1 what\? → /,
    ],
  ] as const)
    test(`tries BDAT where CHUNKING is announced: ${finding.source.slice(1, 5)}`, async () => {
      const { line, partner } = await against(options)
      assert.match(line('chunking'), finding)
      assert.equal(partner.received.length, 0)
      assert.ok(partner.commands.includes('QUIT'))
    })

  test('accepts a name of the hosts file, and shows its addresses', async () => {
    const partner = await startPartner({ tls })
    const { line } = await runCheck(`localhost:${partner.port}`)
    await partner.stop()
    assert.match(line('address'), /^OK .*localhost is .*127\.0\.0\.1/)
    assert.match(line('starttls'), /^OK/)
  })

  test('shows the IANA name of the cipher suite of TLS 1.2', async () => {
    const { line } = await against({ tls: { ...tls, maxVersion: 'TLSv1.2' } })
    assert.match(line('protocol'), /^OK .*TLSv1\.2$/)
    assert.match(
      line('cipher'),
      /^OK .*TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, key exchange \S+, forward secrecy$/,
    )
  })

  test('shows the NIST name of the curve', async () => {
    const { line } = await against({ tls: { ...tls, ecdhCurve: 'P-384' } })
    assert.match(line('cipher'), /, key exchange P-384, forward secrecy$/)
  })

  test('warns about a server that accepts TLS 1.1 beside TLS 1.3', async () => {
    const { line, status } = await against({ tls: { ...tls, minVersion: 'TLSv1', ciphers: anything } })
    assert.match(line('protocol'), /^OK .*TLSv1\.3$/)
    assert.match(
      line('older'),
      /^WARN .*TLSv1\.1 with TLS_\S+ is also accepted → .*disable them on the server$/,
    )
    assert.equal(status, 1, 'its root is not trusted')
  })
})

describe('`check` prints FAIL for a server that', () => {
  const rows: [string, PartnerOptions, string, RegExp][] = [
    [
      'offers no STARTTLS',
      {},
      'starttls',
      /^FAIL .*not offered: 502 5\.5\.1 not here → Mail is sent in the clear/,
    ],
    [
      'refuses STARTTLS',
      { tls, refuseStartTls: '454 4.7.0 not now' },
      'starttls',
      /^FAIL .*not offered: 454 4\.7\.0 not now → /,
    ],
    [
      'breaks the handshake',
      { tls, breakHandshake: true },
      'starttls',
      /^FAIL .*the handshake failed: \S+ → The server must support TLS 1\.2 or 1\.3/,
    ],
    [
      'supports at most TLS 1.1',
      { tls: { ...tls, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: anything } },
      'starttls',
      /^FAIL .*handshake failed: ERR_SSL_\S+ → The server accepts TLSv1\.1 with TLS_\S+, which is too weak/,
    ],
    [
      'supports no cipher suite with forward secrecy',
      {
        tls: {
          ...rsa,
          maxVersion: 'TLSv1.2',
          ciphers: 'AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0',
        },
      },
      'starttls',
      /^FAIL .*handshake failed: ERR_SSL_\S+ → The server accepts TLSv1\.2 with TLS_RSA_WITH_AES_256_GCM_SHA384, which is too weak/,
    ],
    [
      'requires a client certificate',
      { tls: { ...tls, ca: identity.cert }, requiresClientCertificate: true },
      'starttls',
      /^FAIL .*handshake failed: ERR_SSL_\S*CERTIFICATE_REQUIRED → The server requires a client certificate: set clientCertificate in the connector$/,
    ],
    [
      'is no mail server',
      { greeting: 'HTTP/1.1 400 Bad Request' },
      'greeting',
      /^FAIL .*Next hop did not speak SMTP: HTTP\/1\.1 400 Bad Request → A mail server greets with 220/,
    ],
    ['refuses the client', { greeting: '554 5.7.1 go away' }, 'greeting', /^FAIL .*go away → /],
    ['sends no greeting', { silentAt: 'greeting' }, 'greeting', /^FAIL .*Connection timed out → /],
    [
      'times out in the handshake',
      { tls, silentAt: 'handshake' },
      'starttls',
      /^FAIL .*the handshake failed: ETIMEDOUT → /,
    ],
  ]
  for (const [title, options, check, expected] of rows)
    test(title, async () => {
      // Only a silent server needs a short timeout.
      const { line, status, lines } = await against(options, '--timeout', options.silentAt ? '1' : '30')
      assert.match(line('connection'), /^OK/)
      assert.match(line(check), expected)
      assert.deepEqual([status, lines('certificate').length], [1, 0])
    })

  test('refuses the TCP connection', async () => {
    const partner = await startPartner({})
    await partner.stop()
    const { line, status } = await runCheck(`127.0.0.1:${partner.port}`)
    assert.match(
      line('connection'),
      /^FAIL .*127\.0\.0\.1, port \d+: Connection refused → No server accepts connections/,
    )
    assert.equal(status, 1)
  })

  test('has no address', async () => {
    const { line, status } = await runCheck('mx.nowhere.invalid', '--timeout', '2')
    assert.match(line('address'), /^FAIL .*no address found for mx\.nowhere\.invalid: .* → Check the name/)
    assert.equal(status, 1)
  })

  test('`check` prints no control character of a greeting', async () => {
    const { out } = await against({ greeting: '220 mx\u001b[2K\u2028OK trust' })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters must not be in the output
    assert.doesNotMatch(out, /\u001b|\u2028/)
  })
})

test('`check` finds that the ingress refuses old TLS versions and offers forward secrecy', async () => {
  const ingress = await startTestIngress()
  const { line } = await runCheck(`127.0.0.1:${ingress.smtpPort}`, '--servername', 'mx.ours.example')
  await ingress.drain()
  assert.match(line('greeting'), /^OK .*220 mx\.ours\.example/)
  assert.match(line('protocol'), /^OK .*TLSv1\.3$/)
  assert.match(line('cipher'), /^OK .*X25519MLKEM768, forward secrecy$/)
  assert.match(line('older'), /^OK /)
})

test('`check` exits with 1 when a line is FAIL', async () => {
  const partner = await startPartner({ tls })
  const { status, out } = await new Promise<{ status: unknown; out: string }>((resolve) => {
    execFile(
      process.execPath,
      [launcher, 'check', `127.0.0.1:${partner.port}`],
      { timeout: 60_000 },
      (error, out) => resolve({ status: error?.code ?? 0, out }),
    )
  })
  await partner.stop()
  assert.equal(status, 1)
  assert.match(out, /^FAIL +root /m)
  assert.match(out, /\n\d+ OK, \d+ WARN, 3 FAIL\n$/)
})

test('`check` warns about a root that only NODE_EXTRA_CA_CERTS of this machine trusts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-extra-'))
  const pki = await createPki('Extra Root')
  const file = join(folder, 'extra.pem')
  writeFileSync(file, pki.ca)
  const own = await pki.issue({ names: ['mx.partner.example'] })
  const chain = join(folder, 'chain.pem')
  writeFileSync(chain, own.cert)
  const out = await new Promise<string>((resolve) => {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: file }
    const options = { env, timeout: 60_000 }
    execFile(process.execPath, [launcher, 'check', '--certificate', chain], options, (_, out) => resolve(out))
  })
  rmSync(folder, { recursive: true })
  assert.match(
    out,
    /^WARN {2}root +"Extra Root" is in the trust store \(NODE_EXTRA_CA_CERTS, .* → Only this machine trusts the root/m,
  )
})

describe('the argument HOST[:PORT] of `check`', () => {
  const rows: [string, string, number][] = [
    ['mx.Bank.example', 'mx.bank.example', 25],
    ['mx.bank.example.:2525', 'mx.bank.example', 2525],
    ['bücher.example', 'xn--bcher-kva.example', 25],
    ['192.0.2.1', '192.0.2.1', 25],
    ['192.0.2.1:587', '192.0.2.1', 587],
    ['2001:db8::1', '2001:db8::1', 25],
    ['[2001:db8::1]', '2001:db8::1', 25],
    ['[2001:db8::1]:2525', '2001:db8::1', 2525],
  ]
  for (const [text, host, port] of rows)
    test(`${text} means host ${host} and port ${port}`, () =>
      assert.deepEqual(parseTarget(text), { host, port }))
})
