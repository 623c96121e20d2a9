/**
 * `npx mailflow check` against Debian's Postfix, beside OpenSSL's own client: both must report the same about the
 * session and about the trust in its chain.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { type CheckResult, runCheck } from '../support/cli/check.ts'
import { missing, Postfix, type PostfixOptions } from '../support/peers/peers.ts'
import { daysFromNow, type Identity, selfSigned } from '../support/pki.ts'
import { type RevocationAuthority, startRevocationAuthority } from '../support/revocation-authority.ts'

const skip =
  missing('postfix', 'apt-get install postfix', true) || missing('openssl', 'apt-get install openssl')

const host = 'mx.partner.example'
const folder = mkdtempSync(join(tmpdir(), 'mailflow-check-peers-'))
const root = join(folder, 'root.pem')
let authority: RevocationAuthority
let postfixes: Map<string, Postfix>

const states: Record<string, () => Promise<Partial<PostfixOptions>>> = {
  good: async () => ({ tls: await issued(), settings: { smtpd_tls_protocols: '>=TLSv1.2' } }),
  'RSA, TLS 1.2 at most': async () => ({
    tls: await authority.issue({ names: [host], rsa: true }),
    settings: { smtpd_tls_protocols: '>=TLSv1.2, <=TLSv1.2' },
  }),
  'default settings': async () => ({ tls: await issued() }),
  revoked: async () => {
    const tls = await issued()
    authority.revoke(tls.cert)
    return { tls }
  },
  expired: async () => ({
    tls: await authority.issue({ names: [host], notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
  }),
  'self-signed': async () => ({ tls: await selfSigned({ names: [host] }) }),
  'no intermediate': async () => {
    const { cert, key } = await issued()
    return { tls: { cert: /-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/.exec(cert)?.[0] ?? '', key } }
  },
  'no TLS': async () => ({}),
}

const issued = (): Promise<Identity> => authority.issue({ names: [host] })

before(
  async () => {
    if (skip) return
    authority = await startRevocationAuthority({ publish: { issuer: true } })
    writeFileSync(root, authority.root.ca)
    const startedServers = Object.entries(states).map(
      async ([name, options]) =>
        [name, await Postfix.start({ domain: 'partner.example', ...(await options()) })] as const,
    )
    postfixes = new Map(await Promise.all(startedServers))
  },
  { timeout: 120_000 },
)

after(async () => {
  for (const postfix of postfixes?.values() ?? []) await postfix.stop()
  await authority?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const portOf = (name: string): number => postfixes.get(name)?.port ?? 0

const check = (name: string): Promise<CheckResult> =>
  runCheck(`127.0.0.1:${portOf(name)}`, '--servername', host, '--ca', root)

/** The whole output of `openssl s_client`, which verifies and continues whatever the result. */
async function openssl(name: string): Promise<string> {
  const args = [
    '-starttls',
    'smtp',
    '-connect',
    `127.0.0.1:${portOf(name)}`,
    '-servername',
    host,
    '-CAfile',
    root,
  ]
  const client = spawn('openssl', ['s_client', ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
  client.stdin.end('QUIT\r\n')
  return text(client.stdout)
}

const failing = ({ out }: CheckResult): string[] =>
  [...out.matchAll(/^FAIL +(\S+)/gm)].map(([, name = '']) => name)

describe('`mailflow check` of Postfix', { skip, timeout: 120_000 }, () => {
  it('with a good certificate passes, and shows the cipher suite that OpenSSL negotiates', async () => {
    const [result, openSslOutput] = [await check('good'), await openssl('good')]
    assert.deepEqual([failing(result), result.status], [[], 0], result.out)
    assert.match(result.line('greeting'), /^OK .*220 mx\.partner\.example ESMTP Postfix/)
    assert.match(result.line('protocol'), /TLSv1\.3$/)
    const [, cipher = 'none'] = /New, TLSv1\.3, Cipher is (\S+)/.exec(openSslOutput) ?? []
    assert.match(result.line('cipher'), new RegExp(`^OK .*${cipher}, key exchange \\S+, forward secrecy$`))
    assert.match(openSslOutput, /Verify return code: 0 \(ok\)/)
    assert.match(result.line('older'), /^OK .*TLS 1\.0 and 1\.1 are refused/)
  })

  it('sends no MAIL FROM', async () => {
    const quit = (await postfixes.get('good')?.logged(/disconnect from .* ehlo=2 starttls=1 .*quit=1/)) ?? ''
    assert.doesNotMatch(quit, /mail=|rcpt=|data=/)
  })

  it('with TLS 1.2 at most and an RSA certificate passes', async () => {
    const result = await check('RSA, TLS 1.2 at most')
    assert.deepEqual(failing(result), [])
    assert.match(result.line('protocol'), /^OK .*TLSv1\.2$/)
    assert.match(result.line('cipher'), /^OK .*TLS_ECDHE_RSA_WITH_\S+, key exchange \S+, forward secrecy$/)
    assert.match(result.line('key', host), /RSA, 2048 bits$/)
  })

  it('with default settings warns that TLS 1.1 is accepted', async () => {
    const result = await check('default settings')
    assert.deepEqual([failing(result), result.status], [[], 0])
    assert.match(result.line('older'), /^WARN .*TLSv1\.1 with TLS_\S+ is also accepted/)
  })

  it('with a revoked certificate fails, although OpenSSL without a CRL accepts the certificate', async () => {
    const [result, openSslOutput] = [await check('revoked'), await openssl('revoked')]
    assert.deepEqual([failing(result), result.status], [['ocsp', 'crl', 'revocation'], 1])
    assert.match(openSslOutput, /Verify return code: 0 \(ok\)/)
  })

  const refused: [name: string, state: string, checks: string[], reason: RegExp, code: RegExp][] = [
    [
      'an expired certificate',
      'expired',
      ['dates', 'trust'],
      /\(CERT_HAS_EXPIRED\)/,
      /Verify return code: 10 /,
    ],
    [
      'a self-signed certificate',
      'self-signed',
      ['root', 'trust'],
      /\(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
      /Verify return code: 18 /,
    ],
    [
      'a chain without the intermediate certificate',
      'no intermediate',
      ['chain', 'trust'],
      /\(UNABLE_TO_\w+\)/,
      /Verify return code: 2[01] /,
    ],
  ]
  for (const [name, state, checks, reason, code] of refused)
    it(`with ${name} fails, and OpenSSL gives the same reason`, async () => {
      const [result, openSslOutput] = [await check(state), await openssl(state)]
      assert.deepEqual([failing(result), result.status], [checks, 1], result.out)
      assert.match(result.line('trust'), reason)
      assert.match(openSslOutput, code)
    })

  it('without TLS fails', async () => {
    const result = await check('no TLS')
    assert.deepEqual([failing(result), result.status], [['starttls'], 1])
    assert.match(result.line('starttls'), /^FAIL .*not offered: 502 5\.5\.1 /)
  })
})
