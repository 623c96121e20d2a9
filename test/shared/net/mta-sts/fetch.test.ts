import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { before, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import { type FetchResult, fetchLimits, fetchPolicy } from '../../../../shared/net/mta-sts/fetch.ts'
import { startBlackHole } from '../../../support/black-hole.ts'
import { fakeResolver, type Zone } from '../../../support/dns.ts'
import { createPki, daysFromNow, type Pki, selfSigned } from '../../../support/pki.ts'
import {
  type PolicyHost,
  plainText,
  policyText,
  type ResponseHandler,
  redirect,
  startHostWithoutTls,
  startPolicyHost,
  trust,
} from '../../../support/policy-host.ts'

const domain = 'partner.example'
const name = `mta-sts.${domain}`
const privateNetworks = ['127.0.0.0/8', '::1/128']
/** Limits of which only one is short, so that a busy machine does not exceed the other. */
const littleSilence = { ...fetchLimits, idleTimeoutMs: 400 }
const littleTime = { ...fetchLimits, totalMs: 1_500 }

let pki: Pki
let good: SecureContextOptions
before(async () => {
  pki = await createPki()
  trust(pki.ca)
  good = await pki.issue({ names: [name] })
})

const fetchFrom = (
  addresses: string[],
  changes: Partial<Parameters<typeof fetchPolicy>[1]> = {},
  zone: Zone = {},
) =>
  fetchPolicy(domain, {
    resolver: fakeResolver({ a: { [name]: addresses }, ...zone }),
    privateNetworks,
    limits: fetchLimits,
    ...changes,
  })

async function withHost<T>(starting: Promise<PolicyHost>, use: (host: PolicyHost) => Promise<T>): Promise<T> {
  const host = await starting
  try {
    return await use(host)
  } finally {
    await host.stop()
  }
}

const fetchAnswered = (answer: ResponseHandler, tls = good, limits = fetchLimits) =>
  withHost(startPolicyHost(tls, answer), (host) => fetchFrom([host.address], { limits }))

const limitsFor = ({ source }: RegExp) => {
  if (source.includes('no answer within')) return littleSilence
  return source.includes('not done within') ? littleTime : fetchLimits
}

const describeResult = (fetched: FetchResult): string =>
  fetched.kind === 'Policy' ? fetched.policy.mode : `${fetched.result}: ${fetched.detail}`

const text = policyText()
const typed =
  (contentType: string | null, body = text): ResponseHandler =>
  (_, response) => {
    if (contentType !== null) response.setHeader('Content-Type', contentType)
    response.end(body)
  }
const answered =
  (status: number, headers: Record<string, string> = {}): ResponseHandler =>
  (_, response) =>
    response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(text)
const raw =
  (...writes: string[]): ResponseHandler =>
  ({ socket }) => {
    for (const octets of writes) socket.write(octets)
  }
const repeatedly = (socket: Socket, everyMs: number, octets: string) => {
  const timer = setInterval(() => socket.write(octets), everyMs)
  socket.on('close', () => clearInterval(timer))
}
const padded = (octets: number) => `${text}comment: ${'x'.repeat(octets - text.length - 9)}`

describe('a policy host’s response', { concurrency: 8 }, () => {
  it('is requested once, with GET for the path of RFC 8461 and the policy host’s name, over TLS 1.3', async () => {
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      assert.deepEqual(await fetchFrom([host.address]), {
        kind: 'Policy',
        policy: { mode: 'enforce', mx: ['mx.partner.example'], maxAge: 604_800 },
      })
      const { protocol = '', ...request } = host.requests[0] ?? {}
      assert.deepEqual(request, {
        method: 'GET',
        path: '/.well-known/mta-sts.txt',
        host: name,
        serverName: name,
      })
      assert.equal(protocol, 'TLSv1.3')
      assert.equal(host.connections(), 1)
    })
  })

  const rows: [condition: string, answer: ResponseHandler, expected: RegExp][] = [
    ['a media type with parameters', typed('Text/Plain; charset=utf-8; x=y'), /^enforce$/],
    [
      'a body in chunks',
      (request, response) => {
        response.setHeader('Content-Type', 'text/plain')
        for (const line of text.split('\r\n')) response.write(`${line}\r\n`)
        response.end()
        request.resume()
      },
      /^enforce$/,
    ],
    [
      'a body that ends with the connection',
      ({ socket }) => socket.end(`HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n${text}`),
      /^sts-policy-fetch-error: .*neither Content-Length nor chunks/,
    ],
    ['a body of 64 KiB', typed('text/plain', padded(65_536)), /^enforce$/],
    [
      'an early hint before the response',
      raw(
        `HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      ),
      /^enforce$/,
    ],
    [
      'the media type text/html',
      typed('text/html'),
      /^sts-policy-fetch-error: The policy host answered text\/html/,
    ],
    ['no media type', typed(null), /^sts-policy-fetch-error: The policy host answered no content type/],
    ['two media types', typed('text/plain, text/html'), /^sts-policy-fetch-error: .*text\/plain, text\/html/],
    ...[201, 204, 206, 301, 302, 303, 307, 308, 304, 403, 404, 410, 429, 500, 503].map(
      (status): [string, ResponseHandler, RegExp] => [
        `status ${status}`,
        answered(status, { Location: `https://${name}/elsewhere` }),
        new RegExp(`^sts-policy-fetch-error: The policy host answered ${status}$`),
      ],
    ),
    [
      'status 101, which switches to another protocol,',
      raw('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
      /^sts-policy-fetch-error: .*(another protocol|101)/,
    ],
    [
      'a Content-Length above 64 KiB',
      typed('text/plain', padded(65_537)),
      /^sts-policy-fetch-error: .*larger than 65536/,
    ],
    [
      'a body without end',
      (_, response) => {
        response.setHeader('Content-Type', 'text/plain')
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(8_192)));
        }
        response.on('drain', more)
        more()
      },
      /^sts-policy-fetch-error: .*larger than 65536/,
    ],
    [
      'headers without end',
      ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        repeatedly(socket, 1, `x: ${'y'.repeat(4_000)}\r\n`)
      },
      /^sts-policy-fetch-error: .*Header overflow/i,
    ],
    [
      'early hints without end',
      ({ socket }) => repeatedly(socket, 20, 'HTTP/1.1 103 Early Hints\r\n\r\n'),
      /^sts-policy-fetch-error: .*not done within 1.5 s/,
    ],
    [
      'a body that arrives too slowly',
      ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\n')
        repeatedly(socket, 50, 'x')
      },
      /^sts-policy-fetch-error: .*not done within 1.5 s/,
    ],
    ['no octet', () => {}, /^sts-policy-fetch-error: .*no answer within 0.4 s/],
    [
      'a body that stops without an end',
      raw(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\n${text}`),
      /^sts-policy-fetch-error: .*no answer within 0.4 s/,
    ],
    [
      'a body shorter than its Content-Length',
      ({ socket }) =>
        socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\n${text}`),
      /^sts-policy-fetch-error: .*aborted/,
    ],
    [
      'chunks without the last chunk',
      ({ socket }) =>
        socket.end(
          `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`,
        ),
      /^sts-policy-fetch-error: .*aborted/,
    ],
    [
      'no octet before the connection ends',
      ({ socket }) => socket.end(),
      /^sts-policy-fetch-error: .*socket hang up/,
    ],
    [
      'no octet before the connection is reset',
      ({ socket }) => socket.destroy(),
      /^sts-policy-fetch-error: /,
    ],
    [
      'an SMTP greeting instead of HTTP',
      raw('220 mx.partner.example ESMTP\r\n'),
      /^sts-policy-fetch-error: .*Parse Error/,
    ],
    ['an empty body', typed('text/plain', ''), /^sts-policy-invalid: It has no version$/],
    ['HTML as text/plain', typed('text/plain', '<html>'), /^sts-policy-invalid: Line 1 is not a field/],
    [
      'a compressed body',
      (_, response) =>
        response
          .writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' })
          .end(Buffer.from('1f8b0800', 'hex')),
      /^sts-policy-invalid: /,
    ],
  ]
  for (const [condition, answer, expected] of rows)
    it(`with ${condition} has the result ${expected}`, async () =>
      assert.match(describeResult(await fetchAnswered(answer, good, limitsFor(expected))), expected))

  it('that redirects to the same address causes no second request', async () => {
    await withHost(
      startPolicyHost(good, answered(301, { Location: `https://${name}/.well-known/mta-sts.txt` })),
      async (host) => {
        await fetchFrom([host.address])
        assert.equal(host.connections(), 1)
        assert.equal(host.requests.length, 1)
      },
    )
  })
})

describe('the certificate of a policy host', { concurrency: 8 }, () => {
  const issued =
    (names: string[], more: object = {}) =>
    () =>
      pki.issue({ names, ...more })
  const untrusted = (why: string) => new RegExp(`^sts-webpki-invalid: .*not trusted: ${why}`)
  const rows: [condition: string, identity: () => Promise<SecureContextOptions>, expected: RegExp][] = [
    ['with a wildcard for one label', issued(['*.partner.example']), /^enforce$/],
    ['with further names', issued(['partner.example', name]), /^enforce$/],
    ['with an RSA key', issued([name], { rsa: true }), /^enforce$/],
    [
      'of an intermediate of a public CA',
      async () => (await pki.subordinate('Below')).issue({ names: [name] }),
      /^enforce$/,
    ],
    ['presented over TLS 1.2', async () => ({ ...good, maxVersion: 'TLSv1.2' }), /^enforce$/],
    ['that is self-signed', () => selfSigned({ names: [name] }), untrusted('DEPTH_ZERO_SELF_SIGNED_CERT')],
    [
      'of a private CA',
      async () => (await createPki('Other CA')).issue({ names: [name] }),
      untrusted('UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER'),
    ],
    [
      'that has expired',
      issued([name], { notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }),
      untrusted('CERT_HAS_EXPIRED'),
    ],
    [
      'that is not yet valid',
      issued([name], { notBefore: daysFromNow(2), notAfter: daysFromNow(9) }),
      untrusted('CERT_NOT_YET_VALID'),
    ],
    ['for clients only', issued([name], { purposes: ['clientAuth'] }), untrusted('INVALID_PURPOSE')],
    [
      'for the domain itself',
      issued([domain]),
      /^sts-webpki-invalid: .*the certificate is for partner.example/,
    ],
    ['for the mail server', issued(['mx.partner.example']), /^sts-webpki-invalid: .*for mx.partner.example/],
    ['with a wildcard for two labels', issued(['*.example']), /^sts-webpki-invalid: .*for \*.example/],
    ['with a wildcard within a label', issued(['mta-*.partner.example']), /^sts-webpki-invalid: /],
    [
      'with the name only as common name',
      issued([], { commonName: name }),
      /^sts-webpki-invalid: .*for no name/,
    ],
    [
      'with the name as common name beside another',
      issued(['a.example'], { commonName: name }),
      /^sts-webpki-invalid: /,
    ],
  ]
  for (const [condition, identity, expected] of rows)
    it(`${condition} has the result ${expected}`, async () => {
      await withHost(startPolicyHost(await identity(), plainText(text)), async (host) => {
        const fetched = await fetchFrom([host.address])
        assert.match(describeResult(fetched), expected)
        assert.equal(
          host.requests.length,
          fetched.kind === 'Policy' ? 1 : 0,
          'an unverified server gets no request',
        )
      })
    })

  it('is not accepted over TLS 1.1', async () => {
    const old = {
      ...good,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    } as const
    assert.match(
      describeResult(await fetchAnswered(plainText(text), old)),
      /^sts-policy-fetch-error: .*(alert|version)/i,
    )
  })
})

describe('an address of a policy host', { concurrency: 8 }, () => {
  for (const address of ['10.0.0.1', '127.0.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '192.168.1.1'])
    it(`gets no connection when it is ${address}, an IPv4 address that is not public`, async () => {
      const fetched = await fetchFrom([address], { privateNetworks: [] })
      assert.equal(describeResult(fetched), `sts-policy-fetch-error: ${name} has no address that may be used`)
    })
  for (const address of ['::1', '::ffff:127.0.0.1', 'fd00::1', 'fe80::1', '64:ff9b::7f00:1', '2002:7f00:1::'])
    it(`gets no connection when it is ${address}, an IPv6 address that is not public`, async () => {
      const fetched = await fetchFrom([], { privateNetworks: [] }, { a: {}, aaaa: { [name]: [address] } })
      assert.equal(describeResult(fetched), `sts-policy-fetch-error: ${name} has no address that may be used`)
    })

  it('is skipped when it is private and not in privateNetworks, and the next address is used', async () => {
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      const elsewhere = await startPolicyHost(good, plainText(policyText({ mode: 'none' })))
      const fetched = await fetchFrom([elsewhere.address, host.address], {
        privateNetworks: [`${host.address}/32`],
      })
      assert.equal(describeResult(fetched), 'enforce')
      assert.equal(elsewhere.connections(), 0)
      await elsewhere.stop()
    })
  })

  it('may be an IPv6 address without any IPv4 address', async () => {
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      redirect('[::1]:443', host.port)
      assert.equal(describeResult(await fetchFrom([], {}, { a: {}, aaaa: { [name]: ['::1'] } })), 'enforce')
    })
  })

  it('that refuses the connection or does not respond is replaced by the next address', async () => {
    const refusing = await startHostWithoutTls(() => {})
    await refusing.stop()
    const silent = await startHostWithoutTls(() => {})
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      assert.equal(describeResult(await fetchFrom([refusing.address, host.address])), 'enforce')
      const limits = { ...fetchLimits, idleTimeoutMs: 1_000 }
      assert.equal(describeResult(await fetchFrom([silent.address, host.address], { limits })), 'enforce')
    })
    await silent.stop()
  })

  it('that presents a bad certificate or responds 404 is not replaced by the next address', async () => {
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      for (const first of [
        await startPolicyHost(await selfSigned({ names: [name] }), plainText(text)),
        await startPolicyHost(good, answered(404)),
      ]) {
        assert.equal((await fetchFrom([first.address, host.address])).kind, 'Failed')
        await first.stop()
      }
      assert.equal(host.connections(), 0)
    })
  })

  it('may be that of an alias, under the name of the policy host', async () => {
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      const zone = {
        a: { 'pages.hoster.example': [host.address] },
        cname: { [name]: 'pages.hoster.example' },
      }
      assert.equal(describeResult(await fetchFrom([], {}, zone)), 'enforce')
      assert.equal(host.requests[0]?.serverName, name)
    })
  })

  const nowhere: [condition: string, zone: Zone, expected: string][] = [
    ['the name does not exist', { a: {} }, 'has no address'],
    ['the name has no address', { a: {}, txt: { [name]: ['x'] } }, 'has no address'],
    [
      'DNS fails',
      { fail: { [name]: 'ESERVFAIL' } },
      'DNS failed for the addresses of mta-sts.partner.example: ESERVFAIL',
    ],
  ]
  for (const [condition, zone, expected] of nowhere)
    it(`cannot be found when ${condition}, and the fetch fails with "${expected}"`, async () => {
      const fetched = describeResult(await fetchFrom([], {}, zone))
      assert.ok(fetched.startsWith('sts-policy-fetch-error: ') && fetched.endsWith(expected), fetched)
    })

  it('of one family is used when the query for the other family fails', async () => {
    await withHost(startPolicyHost(good, plainText(text)), async (host) => {
      const zone = { a: { [name]: [host.address] }, fail: { [`AAAA ${name}`]: 'ETIMEOUT' } }
      assert.equal(describeResult(await fetchFrom([], {}, zone)), 'enforce')
    })
  })

  it('that is silent, resets or responds without TLS leads to a failed fetch when it is the only one', async () => {
    const bare: [(socket: Socket) => void, RegExp][] = [
      [() => {}, /no answer within 0.4 s/],
      [(socket) => socket.destroy(), /disconnected|closed|ECONNRESET/],
      [(socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'), /wrong version|packet length/],
    ]
    for (const [behaviour, expected] of bare)
      await withHost(startHostWithoutTls(behaviour), async (host) =>
        assert.match(
          describeResult(await fetchFrom([host.address], { limits: limitsFor(expected) })),
          new RegExp(`^sts-policy-fetch-error: .*(${expected.source})`),
        ),
      )
  })

  it('that drops packets leads to a failed fetch when it is the only one', async () => {
    const hole = await startBlackHole()
    redirect('127.2.0.1:443', hole.port)
    assert.match(
      describeResult(await fetchFrom(['127.2.0.1'], { limits: littleSilence })),
      /^sts-policy-fetch-error: .*no answer within 0.4 s/,
    )
    await hole.stop()
  })
})
