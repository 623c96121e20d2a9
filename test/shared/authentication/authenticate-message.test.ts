import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type AuthenticationInput,
  authenticateMessage,
} from '../../../shared/authentication/authenticate-message.ts'
import { internalAuthentication } from '../../../shared/authentication/internal-authentication.ts'
import { MessageAuthentication } from '../../../shared/contract/authentication.ts'
import { withoutForgedFields } from '../../../shared/mail/forged-fields.ts'
import type { Resolver } from '../../../shared/net/resolver.ts'
import { fakeResolver, silentResolver, type Zone } from '../../support/dns.ts'
import { Random } from '../../support/random.ts'
import { newSigningKey, rfc8463Keys, rfc8463Message, signMail } from '../../support/signed-mail.ts'

const key = newSigningKey('ed25519')
const keyName = 's._domainkey.p.example'
const sealName = 'arc._domainkey.ours.example'
const zone = {
  txt: {
    [keyName]: [key.record],
    [sealName]: [key.record],
    'p.example': ['v=spf1 ip4:192.0.2.1 -all'],
    '_dmarc.p.example': ['v=DMARC1; p=reject'],
  },
} satisfies Zone
const message = Buffer.from(
  'From: A <a@p.example>\r\nTo: b@ours.example\r\nSubject: Hello\r\n\r\nHello\r\nworld\r\n',
)
const signed = await signMail(message, key, 'p.example', 's')
const hostname = 'mail.ours.example'
const seal = { domain: 'ours.example', selector: 'arc', privateKey: key.privateKey }
const at = new Date('2026-11-30T12:00:00Z')

const authenticate = async (
  content: AuthenticationInput['content'],
  over: Partial<AuthenticationInput> = {},
  resolver: Resolver = fakeResolver(zone),
) => {
  const errors: Error[] = []
  const session = { ip: '192.0.2.1', helo: 'mx.p.example', mailFrom: 'a@p.example', hostname }
  const result = await authenticateMessage(
    { ...session, content, at, receivedAt: at, seal: null, ...over },
    resolver,
    (error) => errors.push(error),
    50,
  )
  return { ...MessageAuthentication.parse(result), errors }
}
const withFailures = (...names: string[]) =>
  fakeResolver({ ...zone, fail: Object.fromEntries(names.map((name) => [name, 'ESERVFAIL'])) })
const prepend = (fields: string, content: Buffer) => Buffer.concat([Buffer.from(fields), content])

it('a message with aligned SPF and DKIM passes', async () => {
  const { fields, errors, ...results } = await authenticate(signed)
  assert.deepEqual(results, {
    at: at.toISOString(),
    internal: null,
    spf: { result: 'pass', domain: 'p.example' },
    dkim: [{ result: 'pass', domain: 'p.example', selector: 's', aligned: true }],
    dmarc: { result: 'pass', fromDomain: 'p.example', policy: 'reject', alignedBy: ['spf', 'dkim'] },
    arc: { result: 'none', sealer: null },
  })
  assert.deepEqual(errors, [])
  assert.match(
    fields,
    /^Authentication-Results: mail\.ours\.example;\r\n spf=pass.*\r\nReceived-SPF: pass .*\r\n$/s,
  )
})

it('a selector of digits is reported', async () => {
  const content = await signMail(message, key, 'p.example', '20230601')
  const { dkim, fields } = await authenticate(content)
  assert.equal(dkim[0]?.selector, '20230601')
  assert.match(fields, /header\.s=20230601 /)
})

describe('the signatures of RFC 8463', () => {
  const resolver = fakeResolver({
    txt: Object.fromEntries(Object.entries(rfc8463Keys).map(([name, record]) => [name, [record]])),
  })
  const alter = (from: string, to: string) => Buffer.from(rfc8463Message.toString().replace(from, to))
  for (const [title, content, expected] of [
    ['pass', rfc8463Message, ['pass', 'pass']],
    ['fail with another body', alter('hungry', 'thirsty'), ['fail', 'fail']],
    ['fail with another Subject', alter('dinner', 'lunch'), ['fail', 'fail']],
    ['fail with another From', alter('joe@', 'jane@'), ['fail', 'fail']],
    [
      'fail with a second From, which h= forbids',
      prepend('From: x@football.example.com\r\n', rfc8463Message),
      ['fail', 'fail'],
    ],
    ['pass with other spaces (RFC 6376 §3.4)', alter('Hi.\r\n', 'Hi. \t\r\n'), ['pass', 'pass']],
    [
      'pass with empty lines at the end',
      Buffer.concat([rfc8463Message, Buffer.from('\r\n\r\n')]),
      ['pass', 'pass'],
    ],
  ] as const)
    it(title, async () => {
      const { dkim } = await authenticate(content, {}, resolver)
      assert.deepEqual(
        dkim.map(({ result }) => result),
        expected,
      )
    })
})

describe('a signature', async () => {
  const sign = (options: Parameters<typeof signMail>[4]) => signMail(message, key, 'p.example', 's', options)
  const rsa = newSigningKey('rsa', 1024)
  const weak = newSigningKey('rsa', 512)
  for (const [title, content, records, expected] of [
    ['is neutral without key', signed, { [keyName]: ['v=DKIM1; p='] }, 'neutral'],
    ['is neutral with an unreadable key', signed, { [keyName]: ['v=DKIM1; k=ed25519; p=AAAA'] }, 'neutral'],
    ['fails with another key', signed, { [keyName]: [newSigningKey('ed25519').record] }, 'fail'],
    [
      'passes with an RSA key of 1024 bits (RFC 8301 §3.2)',
      await signMail(message, rsa, 'p.example', 's'),
      { [keyName]: [rsa.record] },
      'pass',
    ],
    [
      'is refused with a shorter one',
      await signMail(message, weak, 'p.example', 's'),
      { [keyName]: [weak.record] },
      'policy',
    ],
    ['passes if it covers the whole body by l=', await sign({ maxBodyLength: 14 }), {}, 'pass'],
    [
      'is refused if it does not (RFC 6376 §8.2)',
      Buffer.concat([await sign({ maxBodyLength: 14 }), Buffer.from('more\r\n')]),
      {},
      'policy',
    ],
    ['passes with simple canonicalization', await sign({ canonicalization: 'simple/simple' }), {}, 'pass'],
  ] as const)
    it(title, async () => {
      const { dkim, dmarc } = await authenticate(
        content,
        { mailFrom: 'a@q.example' },
        fakeResolver({ ...zone, txt: { ...zone.txt, ...(records as Zone['txt']) } }),
      )
      assert.equal(dkim[0]?.result, expected)
      assert.equal(dmarc?.result, expected === 'pass' ? 'pass' : 'fail')
    })
})

describe('a DNS failure is temperror, of', () => {
  const other = { mailFrom: 'a@q.example' }
  for (const [title, names, over, expected] of [
    ['the SPF record', ['p.example'], {}, 'temperror pass pass'],
    ['the key', [keyName], {}, 'pass temperror pass'],
    ['the key, if nothing else is aligned', [keyName], other, 'none temperror temperror'],
    ['the policy', ['_dmarc.p.example'], {}, 'pass pass temperror'],
    ['HELO with the null reverse path', ['mx.p.example'], { mailFrom: '' }, 'temperror pass pass'],
  ] as const)
    it(title, async () => {
      const { spf, dkim, dmarc } = await authenticate(signed, over, withFailures(...names))
      assert.equal([spf?.result, dkim[0]?.result, dmarc?.result].join(' '), expected)
    })
  it('everything, if name servers never answer', async () => {
    const { spf, dkim, dmarc, arc } = await authenticate(signed, { seal }, silentResolver)
    assert.deepEqual([spf?.result, dkim[0]?.result, dmarc?.result], ['temperror', 'temperror', 'temperror'])
    assert.equal(arc?.result, 'none')
  })
  it('a key of an ARC chain, and the chain is not sealed again', async () => {
    const sealed = await authenticate(signed, { seal })
    const content = prepend(sealed.fields, signed)
    const { arc, fields } = await authenticate(content, { seal }, withFailures(sealName))
    assert.deepEqual(arc, { result: 'temperror', sealer: 'ours.example' })
    assert.doesNotMatch(fields, /ARC-Seal/)
  })
})

it('a signature that expired after the message was received still passes', async () => {
  const minutes = (count: number) => new Date(at.getTime() + count * 60_000)
  const expiring = await signMail(message, key, 'p.example', 's', {
    signTime: minutes(-90),
    expires: minutes(-30),
  })
  const resultAt = async (receivedAt: Date) => (await authenticate(expiring, { receivedAt })).dkim[0]?.result
  assert.deepEqual([await resultAt(minutes(-60)), await resultAt(at)], ['pass', 'neutral'])
})

describe('a hostile message:', () => {
  const signature = 'DKIM-Signature: v=1; a=rsa-sha256; d=p.example; s=s; h=from; bh=AAAA; b=AAAA\r\n'
  for (const [title, header, reason] of [
    ['a large header section', `X: ${'y'.repeat(262_144)}\r\n`, 'header section too large'],
    ['many lines', `X: y\r\n${' z\r\n'.repeat(5_000)}`, 'header section with too many lines'],
    ['many fields', 'X: y\r\n'.repeat(1_000), 'header section with too many fields'],
    ['a large From', `From: ${'a@p.example,'.repeat(700)}\r\n`, 'From field too large'],
    ['many spaces', `X: y${' '.repeat(1_001)}z\r\n`, 'header section with too long spaces'],
  ] as const)
    it(`${title} is not verified`, async () => {
      const { spf, dkim, dmarc, arc, fields, errors } = await authenticate(prepend(header, signed), { seal })
      assert.deepEqual(
        [spf?.result, dkim[0]?.result, dmarc?.result, arc?.result],
        ['pass', 'permerror', 'permerror', 'permerror'],
      )
      assert.ok(fields.includes(`dkim=permerror reason="${reason}"`))
      assert.doesNotMatch(fields, /ARC-Seal/)
      assert.deepEqual(errors, [])
    })
  for (const line of ['\u00a0<ceo@bank.example>', '\u3000ceo@bank.example', '<ceo@bank.example>', '\x0bx'])
    it(`a From that ${JSON.stringify(line)} may continue has no domain`, async () => {
      const content = Buffer.from(`From: a@p.example\r\n${line}\r\nSubject: Hello\r\n\r\nHello\r\n`)
      const { dmarc, fields } = await authenticate(content)
      assert.deepEqual([dmarc?.result, dmarc?.fromDomain], ['permerror', null])
      assert.match(fields, /dmarc=permerror reason="malformed From field"/)
    })
  it('of 900 signatures, ten are verified', async () => {
    const resolver = fakeResolver(zone)
    const { dkim } = await authenticate(prepend(signature.repeat(900), message), {}, resolver)
    assert.equal(dkim.length, 10)
  })
  it('a signature field of more than 4 KiB is ignored', async () => {
    const long = signature.replace('h=from', `h=from${':x'.repeat(2_100)}`)
    assert.deepEqual((await authenticate(prepend(long, message))).dkim, [])
  })
  it('the longest results fit, and the message is sealed', async () => {
    const label = 'a'.repeat(60)
    const long = signature
      .replace('p.example', `${label}.${label}.${label}.p.example`)
      .replace('s=s', `s=${label}.${label}`)
    const { fields, dkim } = await authenticate(prepend(long.repeat(10), message), { seal })
    assert.equal(dkim.length, 10)
    assert.ok(fields.length <= 16_384)
    assert.match(fields, /ARC-Seal/)
  })
  it('a seal that is too long is left out, but no result', async () => {
    const { fields, dkim } = await authenticate(
      prepend(signature + 'Content-Transfer-Encoding: x\r\n'.repeat(900), message),
      {
        seal,
      },
    )
    assert.equal(dkim.length, 1)
    assert.match(fields, /dkim=fail header\.d=p\.example/)
    assert.doesNotMatch(fields, /ARC-Seal/)
  })
  it('a name that is no domain is reported as none', async () => {
    const odd = signature.replace('p.example', 'x"\\;y').replace('s=s', 's=(')
    assert.deepEqual((await authenticate(prepend(odd, message))).dkim, [
      { result: 'neutral', domain: '', selector: '', aligned: false },
    ])
  })
})

/** `AUTHENTICATION_RUNS` sets the number of messages of each kind. */
const runs = Number(process.env.AUTHENTICATION_RUNS ?? 40)

describe('random', () => {
  const random = new Random(6376)
  const parts = [
    ...[
      'DKIM-Signature',
      'ARC-Seal',
      'ARC-Message-Signature',
      'ARC-Authentication-Results',
      'From',
      ':',
      ';',
      '=',
    ],
    ...[
      '\r\n',
      '\r\n ',
      ' ',
      'i=1',
      'v=1',
      'a=ed25519-sha256',
      'd=p.example',
      's=s',
      'b=AAAA',
      'bh=',
      'h=from',
    ],
    ...[
      'cv=none',
      'l=0',
      'c=relaxed/relaxed',
      'x=1',
      't=9',
      '\0',
      'ü',
      '"',
      '(',
      '<a@p.example>',
      ',',
      '\r',
      '\n',
      '@',
    ],
  ]
  it('headers neither pass nor cause an error', async () => {
    for (let run = 0; run < runs; run++) {
      const header = Array.from({ length: random.between(1, 80) }, () => random.of(parts)).join('')
      const { dkim, dmarc, arc, errors } = await authenticate(Buffer.from(`${header}\r\n\r\nx`), {
        mailFrom: 'a@q.example',
        seal,
      })
      const results = [dmarc, arc, ...dkim].map((each) => each?.result)
      assert.deepEqual([results.includes('pass'), errors], [false, []], JSON.stringify(header))
    }
  })
  it('changes of signed octets do not pass', async () => {
    const begin = signed.length - message.length
    for (let run = 0; run < runs; run++) {
      const altered = Buffer.from(signed)
      const at = random.between(begin, altered.length)
      if (altered.toString('latin1', at, at + 1).match(/\W/)) continue
      altered[at] = (altered[at] as number) ^ (1 << random.between(0, 5))
      const { dkim } = await authenticate(altered, { mailFrom: 'a@q.example' })
      assert.notEqual(dkim[0]?.result, 'pass', JSON.stringify(altered.toString('latin1')))
    }
  })
})

describe('the content', () => {
  it('in pieces has the same results', async () => {
    const pieces = async function* () {
      for (let at = 0; at < signed.length; at += 7) yield signed.subarray(at, at + 7)
    }
    assert.deepEqual(await authenticate(pieces()), await authenticate(signed))
  })
  for (const [title, header] of [
    ['of a large header section', `X: ${'y'.repeat(262_144)}\r\n`],
    ['without signature', ''],
  ] as const)
    it(`${title} is not read to its end`, async () => {
      const pieces = (async function* () {
        yield prepend(header, message)
        yield Buffer.from('more')
      })()
      await authenticate(pieces)
      assert.deepEqual(await pieces.next(), { value: undefined, done: true })
    })
  it('that cannot be read rejects', async () => {
    const broken = async function* () {
      yield signed.subarray(0, -7)
      throw new Error('read error')
    }
    await assert.rejects(authenticate(broken()), /read error/)
  })
  for (const [title, content] of [
    ['without body', Buffer.from('From: a@p.example\r\n')],
    ['without header', Buffer.from('\r\nFrom: a@p.example\r\n')],
    ['without anything', Buffer.alloc(0)],
    ['of octets that are not text', Buffer.from([0xff, 0, 0x0d, 0x0a, 0x0d, 0x0a, 0xfe])],
  ] as const)
    it(`${title} is authenticated`, async () => {
      const { dkim, errors } = await authenticate(content)
      assert.deepEqual([dkim, errors], [[], []])
    })
})

describe('the ARC seal', () => {
  const sealOf = (fields: string) =>
    /ARC-Seal: i=(\d+);[^;]*;[^;]*; cv=(\w+)/.exec(fields)?.slice(1).join(' ')
  const deliver = async (content: Buffer, resolver: Resolver = fakeResolver(zone)) => {
    const result = await authenticate(content, { seal }, resolver)
    return { ...result, delivered: prepend(result.fields, withoutForgedFields(content, hostname)) }
  }

  it('is valid for the message as it leaves, without forged fields', async () => {
    const forged = prepend(`Authentication-Results: ${hostname}; dkim=pass\r\n`, signed)
    const first = await deliver(forged)
    assert.equal(sealOf(first.fields), '1 none')
    const second = await deliver(first.delivered)
    assert.deepEqual(second.arc, { result: 'pass', sealer: 'ours.example' })
    assert.equal(sealOf(second.fields), '2 pass')
    assert.deepEqual((await authenticate(second.delivered)).arc, { result: 'pass', sealer: 'ours.example' })
  })
  it('of an altered message is cv=fail, and no seal follows (RFC 8617 §5.1)', async () => {
    const { delivered } = await deliver(signed)
    const altered = await deliver(Buffer.concat([delivered, Buffer.from('x\r\n')]))
    assert.equal(altered.arc?.result, 'fail')
    assert.equal(sealOf(altered.fields), '2 fail')
    const third = await deliver(altered.delivered)
    assert.deepEqual([third.arc?.result, sealOf(third.fields)], ['fail', undefined])
    assert.deepEqual(third.errors, [])
  })
  it('does not follow the fiftieth (RFC 8617 §4.2.1)', async () => {
    const set = (i: number) =>
      ['Seal', 'Message-Signature', 'Authentication-Results']
        .map((name) => `ARC-${name}: i=${i}; a=b\r\n`)
        .join('')
    const sets = Array.from({ length: 50 }, (_, index) => set(50 - index)).join('')
    const { arc, fields, errors } = await deliver(prepend(sets, message))
    assert.deepEqual([arc?.result, sealOf(fields), errors], ['fail', undefined, []])
  })
  it('is left out, with an error, if the key cannot sign', async () => {
    const { fields, errors } = await authenticate(signed, { seal: { ...seal, privateKey: 'no key' } })
    assert.match(fields, /^Authentication-Results/)
    assert.equal(sealOf(fields), undefined)
    assert.match(errors[0]?.message ?? '', /^The ARC key cannot sign: /)
  })
})

it('internal mail is not checked, and its field says so (RFC 8601 §2.2)', () =>
  assert.deepEqual(MessageAuthentication.parse(internalAuthentication('Our servers', hostname, at)), {
    ...{ at: at.toISOString(), internal: 'Our servers' },
    ...{ spf: null, dkim: [], dmarc: null, arc: null },
    fields: `Authentication-Results: ${hostname}; none (internal mail is not checked)\r\n`,
  }))
