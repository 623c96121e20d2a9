/** Results of mailflow and of other programs for the same messages: DKIM, ARC, DMARC, SPF and their fields. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { authenticateMessage } from '../../shared/authentication/authenticate-message.ts'
import { evaluateSpf } from '../../shared/authentication/evaluate-spf.ts'
import { messageLookup } from '../../shared/authentication/message-lookup.ts'
import { dmarcCases } from '../support/dmarc-cases.ts'
import { fakeResolver } from '../support/dns.ts'
import { Random } from '../support/random.ts'
import { newSigningKey, rfc8463Keys, rfc8463Message, signMail } from '../support/signed-mail.ts'
import { spfCases } from '../support/spf-cases.ts'

/** Debian's own interpreter, which has the packages. */
const python = '/usr/bin/python3'
const script = join(import.meta.dirname, 'authentication.py')
const isInstalled = spawnSync(python, ['-c', 'import authheaders, dkim, spf']).status === 0
const skip =
  isInstalled || process.env.CI
    ? false
    : 'packages are missing: apt-get install python3-authheaders python3-dkim python3-spf'

const request = (task: object): unknown => {
  const input = JSON.stringify(task, (_, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString('base64') : value,
  )
  return JSON.parse(execFileSync(python, [script], { input }).toString())
}
const requestMessage = (task: object): Buffer => Buffer.from(request(task) as string, 'base64')

const keys = { ed25519: newSigningKey('ed25519'), rsa: newSigningKey('rsa') }
const records: Record<string, string> = {
  ...rfc8463Keys,
  'ed25519._domainkey.p.example': keys.ed25519.record,
  'rsa._domainkey.p.example': keys.rsa.record,
  'rsa._domainkey.ours.example': keys.rsa.record,
  'ed25519._domainkey.ours.example': keys.ed25519.record,
}
const resolver = fakeResolver({
  txt: Object.fromEntries(Object.entries(records).map(([name, record]) => [name, [record]])),
})
const hostname = 'mail.ours.example'
const authenticate = (content: Buffer, seal: 'rsa' | 'ed25519' | null = null) =>
  authenticateMessage(
    {
      ...{
        content,
        ip: '2001:db8::1',
        helo: 'mx.p.example',
        mailFrom: 'a@p.example',
        hostname,
        at: new Date(),
        receivedAt: new Date(),
      },
      seal: seal && { domain: 'ours.example', selector: seal, privateKey: keys[seal].privateKey },
    },
    resolver,
    assert.ifError,
  )
const message = Buffer.from('From: A <a@p.example>\r\nTo: b@ours.example\r\nSubject: Hello\r\n\r\nHello\r\n')
const alter = (content: Buffer): Buffer => Buffer.concat([content, Buffer.from('x\r\n')])
const validForPeer = (...messages: Buffer[]) => request({ do: 'dkim', messages, records })
const isValid = async (content: Buffer) =>
  (await authenticate(content)).dkim.map(({ result }) => result === 'pass')

describe('dkimpy and mailflow agree about signatures:', { skip }, () => {
  for (const [title, content, expected] of [
    ['of RFC 8463', rfc8463Message, [true, true]],
    ['of RFC 8463, altered', alter(rfc8463Message), [false, false]],
    ['without any', message, []],
  ] as const)
    it(title, async () => {
      assert.deepEqual(await isValid(content), expected)
      assert.deepEqual(validForPeer(content), [expected])
    })

  const random = new Random(6376)
  const parts = ['\r\n', '\r\n', ' ', '\t', 'word', 'ü', '.', '  two']
  const text = (count: number) => Array.from({ length: count }, () => random.of(parts)).join('')
  const field = (name: string) => `${name}: ${text(6).replaceAll('\r\n', '\r\n ').trim() || 'x'}\r\n`
  for (const form of ['relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple'])
    for (let run = 0; run < 3; run++)
      it(`${form}, message ${run}`, async () => {
        const content = Buffer.from(
          `From:  a@p.example \r\n${field('Subject')}${field('To')}\r\n${text(20)}\r\n`,
        )
        const options = { canonicalization: form }
        const byMailflow = await signMail(
          await signMail(content, keys.rsa, 'p.example', 'rsa', options),
          ...([keys.ed25519, 'p.example', 'ed25519', options] as const),
        )
        const { privateKey: key } = keys.rsa
        const byPeer = requestMessage({
          do: 'sign',
          message: content,
          key,
          domain: 'p.example',
          selector: 'rsa',
          form,
        })
        const messages = [byMailflow, byPeer, alter(byMailflow), alter(byPeer)]
        assert.deepEqual(validForPeer(...messages), await Promise.all(messages.map(isValid)))
        assert.deepEqual(await isValid(byPeer), [true])
      })
  it('except one that covers a part of the body, which mailflow refuses (RFC 6376 §8.2)', async () => {
    const partial = alter(await signMail(message, keys.rsa, 'p.example', 'rsa', { maxBodyLength: 7 }))
    assert.deepEqual(validForPeer(partial), [[true]])
    assert.deepEqual(
      (await authenticate(partial)).dkim.map(({ result }) => result),
      ['policy'],
    )
  })
})

describe('dkimpy and mailflow agree about ARC chains', { skip }, () => {
  const sealByUs = async (content: Buffer, type: 'rsa' | 'ed25519' = 'rsa') =>
    Buffer.concat([Buffer.from((await authenticate(content, type)).fields), content])
  let hosts = 0
  const sealByPeer = async (content: Buffer) => {
    const { arc } = await authenticate(content)
    // The peer takes several results in one name for a broken chain.
    const host = `peer${++hosts}.example`
    const results = `Authentication-Results: ${host}; arc=${arc?.result}\r\n`
    return requestMessage({
      do: 'seal',
      message: Buffer.concat([Buffer.from(results), content]),
      ...{ key: keys.rsa.privateKey, domain: 'p.example', selector: 'rsa', host },
    })
  }
  for (const [title, seals] of [
    ['without seals', []],
    ['of mailflow', [sealByUs]],
    ['of dkimpy', [sealByPeer]],
    ['of both in turn', [sealByUs, sealByPeer, sealByUs, sealByPeer, sealByUs]],
  ] as const)
    it(title, async () => {
      let content = await signMail(message, keys.rsa, 'p.example', 'rsa')
      for (const seal of seals) content = await seal(content)
      const expected = seals.length > 0 ? 'pass' : 'none'
      assert.equal((request({ do: 'arc', message: content, records }) as string[])[0], expected)
      assert.equal((await authenticate(content)).arc?.result, expected)
      if (seals.length === 0) return
      const altered = alter(content)
      assert.equal((request({ do: 'arc', message: altered, records }) as string[])[0], 'fail')
      assert.equal((await authenticate(altered)).arc?.result, 'fail')
      const resealed = await sealByUs(altered)
      assert.equal((request({ do: 'arc', message: resealed, records }) as string[])[0], 'ended')
      assert.equal((await authenticate(resealed)).arc?.result, 'fail')
    })
  it('except with an Ed25519 seal, which dkimpy does not know in ARC (RFC 8617 §4.1.3: algorithms of DKIM)', async () => {
    const sealed = await sealByUs(message, 'ed25519')
    assert.match(
      (request({ do: 'arc', message: sealed, records }) as string[])[1] ?? '',
      /^unknown signature algorithm/,
    )
    assert.equal((await authenticate(sealed)).arc?.result, 'pass')
  })
})

it('authres reads our Authentication-Results', { skip }, async () => {
  const { fields } = await authenticate(rfc8463Message)
  const [field] = fields.split(/\r\n(?! )/)
  assert.deepEqual(request({ do: 'results', field: field?.replaceAll('\r\n', '') }), [
    ...[hostname, 'spf=none', 'dkim=pass', 'dkim=pass', 'dmarc=none', 'arc=none'],
  ])
})

/** Why authheaders is wrong. It implements the seventh draft, by the Public Suffix List for alignment. */
const wrongResults: Record<string, string> = {
  'an invalid adkim is the default': '§4.8: syntax errors are discarded in favour of default values',
  'the upper-case name of a tag': '§4.7, RFC 6376 §3.2: names of tags are case-sensitive',
  'a record of the author domain goes first': '§4.10.1: it has the highest preference',
  'but its organizational domain is above it': '§4.10.1: the policy is of the author domain',
  'psd=u is the default': '§4.10.1: the policy is of the author domain',
  'psd=n separates it from the parent': '§4.10.2 step 1',
  'psd=n on the side of the signature': '§4.10.2 step 1',
  'a domain below signs for the public suffix': '§4.10.2 step 2',
  'a public suffix in the middle separates': '§4.10.2 step 2',
  'a top-level domain that does not say psd=y joins all below it': '§4.10.2 step 3',
  'eight labels: each parent': '§4.10 step 4: the walk goes to seven labels first, not to four',
  'more than eight labels: the longest parent of seven': '§4.10 step 4',
  'sp is not for the domain itself': '§4.7: sp does not apply to the organizational domain itself',
  'sp of the author domain itself is ignored': '§4.7: sp is ignored there',
  'np is not for the domain itself': '§4.7: np does not apply to the domain itself',
  't=y: reject becomes quarantine': '§4.7: the peer does not know t',
  't=y: quarantine becomes none': '§4.7: the peer does not know t',
  't=y for a subdomain': '§4.7: the peer does not know t',
  'a version that only begins alike': '§4.8: dmarc-version is followed by dmarc-sep or the end',
  'spaces around everything': '§4.8: equals permits spaces',
  'p in upper case': '§4.7, RFC 6376 §3.2: names of tags are case-sensitive',
  'no p, with rua': '§4.10.1: as if p=none',
  'an invalid p, with rua': '§4.10.1: as if p=none',
  'an invalid p, with an invalid rua': '§4.10.1: no processing',
  'an invalid sp, with rua': '§4.10.1: as if p=none',
  'an invalid np, without rua': '§4.10.1: no processing',
  'text without a tag': '§4.8: syntax errors are ignored',
  'a tag twice': '§4.7, RFC 6376 §3.2: the whole record is invalid',
  'the parent cannot be queried, but an identical domain passes': '§4.10.2: this walk is not needed',
  'the parent cannot be queried, and decides': '§4.10.1: the policy is that of the author domain',
  'the parent cannot be queried, but alignment is strict': '§4.10.2: this walk is not needed',
  'the key of an aligned signature cannot be queried': '§5.3.6: neither pass nor fail',
  'SPF of an aligned reverse path cannot be queried': '§5.3.6: neither pass nor fail',
  'whether the subdomain exists is unknown': '§5.3.6: neither pass nor fail',
  'no From': '§5.3.1: DMARC is not possible; the peer has an unhandled error',
  'two From fields': '§4.4: alignment cannot occur; the peer passes if one of them does',
  'two domains': '§5.3.1: DMARC is not possible; the peer passes if one of them does',
  'a U-label': '§5.3.1: it must be converted to an A-label',
  'the same address in an unquoted name':
    'RFC 5322 §3.4 does not permit it; it is frequent, and has one domain (§5.3.1)',
  'an address without end': '§4.4: From is malformed',
}

describe('authheaders and mailflow agree about DMARC:', { skip }, () => {
  // authheaders takes an unlisted top-level domain for an organizational domain.
  const toListed = <T>(value: T): T => JSON.parse(JSON.stringify(value).replace(/\bexample\b/gi, 'com'))
  const cases = dmarcCases.map(({ names, ...rest }) => ({
    ...rest,
    existing: names.filter((name) => !name.startsWith('!')).map((name) => name.replace(/^\*|>.*/g, '')),
  }))
  const results = skip ? [] : (request({ do: 'dmarc', cases: toListed(cases) }) as string[])
  dmarcCases.forEach(({ title, expected }, index) => {
    const [result, policy] = expected.split(' ')
    const clause = wrongResults[title]
    it(clause ? `${title}: no, the peer is wrong (${clause})` : title, () =>
      assert[clause ? 'notEqual' : 'equal'](results[index], `${result} ${policy}`),
    )
  })
  it('each known difference is of a case', () =>
    assert.deepEqual(
      Object.keys(wrongResults).filter((title) => !dmarcCases.some((each) => each.title === title)),
      [],
    ))
})

describe('pyspf and mailflow agree about SPF:', { skip }, () => {
  const results = skip ? [] : (request({ do: 'spf', cases: spfCases.map(({ peer }) => peer) }) as string[])
  spfCases.forEach(({ title, session, zone, expected }, index) => {
    it(`${title}: ${expected}`, async () => {
      const lookup = messageLookup(fakeResolver(zone), 1_000)
      assert.equal((await evaluateSpf({ ...session, hostname }, lookup)).result, expected)
      assert.equal(results[index], expected)
    })
  })
})
