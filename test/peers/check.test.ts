/**
 * `npx mailflow check` against Debian's Postfix, beside OpenSSL's own client: both must report the same of a session
 * and of the trust in its chain.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { type Checked, checked } from '../support/cli/check.ts'
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
  'as it comes': async () => ({ tls: await issued() }),
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
    const started = Object.entries(states).map(
      async ([name, options]) =>
        [name, await Postfix.start({ domain: 'partner.example', ...(await options()) })] as const,
    )
    postfixes = new Map(await Promise.all(started))
  },
  { timeout: 120_000 },
)

after(async () => {
  for (const postfix of postfixes?.values() ?? []) await postfix.stop()
  await authority?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const portOf = (name: string): number => postfixes.get(name)?.port ?? 0

const check = (name: string): Promise<Checked> =>
  checked(`127.0.0.1:${portOf(name)}`, '--servername', host, '--ca', root)

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

const failing = ({ out }: Checked): string[] =>
  [...out.matchAll(/^FAIL +(\S+)/gm)].map(([, name = '']) => name)

describe('Postfix, checked', { skip, timeout: 120_000 }, () => {
  it('with a good certificate passes; session and chain agree with OpenSSL', async () => {
    const [seen, other] = [await check('good'), await openssl('good')]
    assert.deepEqual([failing(seen), seen.status], [[], 0], seen.out)
    assert.match(seen.line('greeting'), /^OK .*220 mx\.partner\.example ESMTP Postfix/)
    assert.match(seen.line('protocol'), /TLSv1\.3$/)
    const [, cipher = 'none'] = /New, TLSv1\.3, Cipher is (\S+)/.exec(other) ?? []
    assert.match(seen.line('cipher'), new RegExp(`^OK .*${cipher}, key exchange \\S+, forward secrecy$`))
    assert.match(other, /Verify return code: 0 \(ok\)/)
    assert.match(seen.line('older'), /^OK .*TLS 1\.0 and 1\.1 are refused/)
  })

  it('received no MAIL FROM', async () => {
    const quit = (await postfixes.get('good')?.logged(/disconnect from .* ehlo=2 starttls=1 .*quit=1/)) ?? ''
    assert.doesNotMatch(quit, /mail=|rcpt=|data=/)
  })

  it('with TLS 1.2 and RSA passes', async () => {
    const seen = await check('RSA, TLS 1.2 at most')
    assert.deepEqual(failing(seen), [])
    assert.match(seen.line('protocol'), /^OK .*TLSv1\.2$/)
    assert.match(seen.line('cipher'), /^OK .*TLS_ECDHE_RSA_WITH_\S+, key exchange \S+, forward secrecy$/)
    assert.match(seen.line('key', host), /RSA, 2048 bits$/)
  })

  it('with its default settings offers TLS 1.1, and gets a warning for it', async () => {
    const seen = await check('as it comes')
    assert.deepEqual([failing(seen), seen.status], [[], 0])
    assert.match(seen.line('older'), /^WARN .*TLSv1\.1 with TLS_\S+ is also accepted/)
  })

  it('with a revoked certificate fails; OpenSSL without a CRL does not notice', async () => {
    const [seen, other] = [await check('revoked'), await openssl('revoked')]
    assert.deepEqual([failing(seen), seen.status], [['ocsp', 'crl', 'revocation'], 1])
    assert.match(other, /Verify return code: 0 \(ok\)/)
  })

  const refused: [string, string[], RegExp, RegExp][] = [
    ['expired', ['dates', 'trust'], /\(CERT_HAS_EXPIRED\)/, /Verify return code: 10 /],
    ['self-signed', ['root', 'trust'], /\(DEPTH_ZERO_SELF_SIGNED_CERT\)/, /Verify return code: 18 /],
    ['no intermediate', ['chain', 'trust'], /\(UNABLE_TO_\w+\)/, /Verify return code: 2[01] /],
  ]
  for (const [name, checks, reason, code] of refused)
    it(`${name} fails for OpenSSL's own reason`, async () => {
      const [seen, other] = [await check(name), await openssl(name)]
      assert.deepEqual([failing(seen), seen.status], [checks, 1], seen.out)
      assert.match(seen.line('trust'), reason)
      assert.match(other, code)
    })

  it('without TLS fails', async () => {
    const seen = await check('no TLS')
    assert.deepEqual([failing(seen), seen.status], [['starttls'], 1])
    assert.match(seen.line('starttls'), /^FAIL .*not offered: 502 5\.5\.1 /)
  })
})
