/** The public pages, requested as API Gateway invokes the function. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { before, test } from 'node:test'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createPublicPages, type Dependencies } from '../../../functions/public-pages/pages.ts'
import type { PublishedCertificates } from '../../../shared/contract/certificates.ts'
import { formatPolicy } from '../../../shared/net/mta-sts/published.ts'
import { describeCertificates } from '../../../shared/tls/describe-certificates.ts'
import { certificateWith } from '../../support/odd-certificates.ts'
import { createPki } from '../../support/pki.ts'

const hostname = 'mx.ours.example'
const now = Date.parse('2026-11-29T12:00:00.000Z')
const { text: policy } = formatPolicy({ mode: 'enforce', mxHosts: [hostname], maxAgeSeconds: 604_800 })
const publisher = {
  organisation: 'Ours, Inc.',
  contact: `postmaster@${hostname}`,
}

const arn = 'arn:aws:sns:eu-west-1:123456789012:Notices'

let published: PublishedCertificates

before(async () => {
  const pki = await createPki('Root of All')
  const [current, next] = await Promise.all([
    pki.issue({ names: [hostname] }),
    pki.issue({ names: [hostname], rsa: true }),
  ])
  published = describeCertificates(
    {
      certificate: current.cert,
      next: { certificate: next.cert, servedFrom: '2026-11-29T12:02:00.000Z' },
      deprecated: [],
    },
    { hostname, now: new Date(now) },
  )
})

interface PagesOptions {
  clock?: { now: number }
  read?: () => Promise<PublishedCertificates | null>
  policy?: string | null
  organisation?: string
}

function pagesWith({
  clock = { now },
  read = async () => published,
  policy: text = policy,
  organisation = publisher.organisation,
}: PagesOptions = {}) {
  const errors: unknown[] = []
  const lookedUp: string[] = []
  const pages = createPublicPages({
    published: { read },
    acceptedDomains: {
      get: async (domain: string) => {
        lookedUp.push(domain)
        return domain === 'ours.example' ? ({ domain } as never) : null
      },
    },
    policy: text,
    publisher: { ...publisher, organisation },
    logger: { error: (...args: unknown[]) => errors.push(args) } as unknown as Dependencies['logger'],
    now: () => clock.now,
  })
  const request = (path: string, { host = 'pages.example', method = 'GET', headers = {} } = {}) =>
    pages({
      rawPath: path,
      headers: { host, ...headers },
      requestContext: { http: { method }, domainName: host },
    } as unknown as APIGatewayProxyEventV2)
  return { request, errors, lookedUp }
}

const { request } = pagesWith()
const headersOf = ({ headers = {} }: Awaited<ReturnType<typeof request>>): Record<string, unknown> => headers

test('the page of certificates is HTML without scripts and external resources', async () => {
  const answer = await request('/')
  assert.equal(answer.statusCode, 200)
  const headers = headersOf(answer)
  assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  assert.match(String(headers['content-security-policy']), /^default-src 'none'; style-src 'sha256-[^' ]+';/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  const body = answer.body ?? ''
  assert.doesNotMatch(body, /<script|<link|<img|<iframe|\bstyle=|\bon\w+=|@import|url\(/i)
  assert.deepEqual(
    [...body.matchAll(/(?:href|src)="([^"]*)"/g)]
      .map(([, url = '']) => url)
      .filter((url) => !/^(certificates|mailto:)/.test(url)),
    [],
  )
})

test('the page of certificates shows their attributes, the TLSA records and the TLS parameters', async () => {
  const { body = '' } = await request('/')
  for (const {
    rootIssuer,
    certificateName,
    fingerprint256,
    publicKeyFingerprint256,
    serial,
  } of published.certificates)
    for (const value of [rootIssuer, certificateName, fingerprint256, publicKeyFingerprint256, serial])
      assert.ok(body.includes(value), value)
  for (const value of [
    ...published.tlsaRecords,
    ...published.protocol.cipherSuites,
    ...published.protocol.groups,
  ])
    assert.ok(body.includes(value), value)
  assert.match(body, /2026-11-29 12:02 UTC/)
})

test('the page of certificates names the organisation of the certificate, or "We" when it has none', async () => {
  assert.match((await request('/')).body ?? '', /<p>Ours, Inc\. receives mail at <strong>mx\.ours\.example</)
  const { request: requestUnnamed } = pagesWith({ organisation: hostname })
  assert.match((await requestUnnamed('/')).body ?? '', /<p>We receive mail at <strong>mx\.ours\.example</)
})

test('no response contains an ARN or the number of an AWS account', async () => {
  const { request: requestFailing } = pagesWith({ read: async () => Promise.reject(new Error(arn)) })
  const answers = await Promise.all([
    ...['/', '/certificates.json', '/nothing'].map((path) => request(path)),
    ...published.certificates.map(({ fingerprint256 }) => request(`/certificates/${fingerprint256}.pem`)),
    request('/.well-known/mta-sts.txt', { host: 'mta-sts.ours.example' }),
    request('/.well-known/mta-sts.txt', { host: 'mta-sts.theirs.example' }),
    request('/', { method: 'POST' }),
    request('/', { method: 'HEAD' }),
    requestFailing('/'),
  ])
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 404, 200, 200, 200, 404, 405, 200, 503],
  )
  for (const answer of answers) {
    const text = `${Object.entries(headersOf(answer)).join('\n')}\n${answer.body}`
    assert.doesNotMatch(text, /arn:|\b\d{12}\b/)
  }
})

test('the page of certificates says how a partner subscribes to notices of changes', async () => {
  assert.match(
    (await request('/')).body ?? '',
    /To subscribe, write to\s+<a href="mailto:postmaster@mx\.ours\.example">/,
  )
})

test('/certificates.json returns the published certificates, and permits other origins to read them', async () => {
  const answer = await request('/certificates.json')
  assert.deepEqual(JSON.parse(answer.body ?? ''), published)
  assert.equal(headersOf(answer)['content-type'], 'application/json')
  assert.equal(headersOf(answer)['access-control-allow-origin'], '*')
})

test('/certificates/FINGERPRINT.pem returns the certificate and its issuers in PEM', async () => {
  for (const { fingerprint256, chain } of published.certificates) {
    const answer = await request(`/certificates/${fingerprint256}.pem`)
    assert.equal(answer.statusCode, 200)
    assert.equal(answer.body, chain)
    const { fingerprint256: servedFingerprint } = new X509Certificate(answer.body ?? '')
    assert.equal(servedFingerprint.replaceAll(':', '').toLowerCase(), fingerprint256)
  }
})

for (const path of ['/', '/certificates.json', '/.well-known/mta-sts.txt'])
  test(`GET ${path} may be cached, and gets 304 when its entity tag is unchanged`, async () => {
    const first = await request(path)
    const { etag, 'cache-control': cache } = headersOf(first)
    assert.match(String(cache), /^public, max-age=\d+$/)
    const again = await request(path, { headers: { 'if-none-match': `"other", W/${etag}` } })
    assert.deepEqual([again.statusCode, again.body, headersOf(again).etag], [304, undefined, etag])
    const changed = await request(path, { headers: { 'if-none-match': '"other"' } })
    assert.equal(changed.statusCode, 200)
  })

test('max-age ends at the latest when the next certificate is served', async () => {
  const cacheAt = async (at: string) =>
    headersOf(await pagesWith({ clock: { now: Date.parse(at) } }).request('/'))['cache-control']
  assert.equal(await cacheAt('2026-11-29T11:00:00.000Z'), 'public, max-age=300')
  assert.equal(await cacheAt('2026-11-29T12:00:00.000Z'), 'public, max-age=120')
  assert.equal(await cacheAt('2026-11-29T12:01:59.500Z'), 'no-store')
  assert.equal(await cacheAt('2026-11-29T12:02:00.000Z'), 'public, max-age=300')
})

test('/certificates.json shows the next certificate as current from its date, without a new publication', async () => {
  const { body } = await pagesWith({ clock: { now: Date.parse('2026-11-29T12:02:00.000Z') } }).request(
    '/certificates.json',
  )
  const { certificates } = JSON.parse(body ?? '')
  assert.deepEqual(
    certificates.map(({ state, keyType }: Record<string, string>) => [state, keyType]),
    [
      ['Current', 'RSA'],
      ['Deprecated', 'EC'],
    ],
  )
})

test('HEAD / returns the headers of GET without content', async () => {
  const [get, head] = await Promise.all([request('/'), request('/', { method: 'HEAD' })])
  assert.deepEqual({ ...get, body: undefined }, { ...head, body: undefined })
  assert.equal(head.body, undefined)
})

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
  test(`${method} / gets 405 with an explanation`, async () => {
    const answer = await request('/', { method })
    assert.equal(answer.statusCode, 405)
    assert.equal(headersOf(answer).allow, 'GET, HEAD')
    assert.match(answer.body ?? '', /allow only GET and HEAD/)
  })

const unknownPaths = [
  '/index.html',
  '/certificates',
  '/certificates/',
  `/certificates/${'0'.repeat(64)}.pem`,
  '/certificates/../certificates.json',
  '/.env',
  '/"><script>alert(1)</script>',
  '/%3Cscript%3Ealert(1)%3C/script%3E',
]
for (const path of unknownPaths)
  test(`GET ${path} gets 404 without any text of the request`, async () => {
    const answer = await request(path, { headers: { 'user-agent': '<script>', referer: '<script>' } })
    assert.equal(answer.statusCode, 404)
    assert.equal(answer.body, (await request('/nothing')).body)
    assert.doesNotMatch(answer.body ?? '', /script/)
  })

test('the pages get 404, cached for one minute, before the first publication', async () => {
  const { request: requestEarly } = pagesWith({ read: async () => null })
  for (const path of ['/', '/certificates.json', `/certificates/${'a'.repeat(64)}.pem`]) {
    const answer = await requestEarly(path)
    assert.equal(answer.statusCode, 404)
    assert.match(answer.body ?? '', /Nothing is published yet/)
    assert.equal(headersOf(answer)['cache-control'], 'public, max-age=60')
  }
})

test('a request gets 503, and only the log names the cause, while the store fails; the next request reads again', async () => {
  let fails = true
  const read = async () => {
    if (fails) throw new Error('the table is gone')
    return published
  }
  const { request: requestFailing, errors } = pagesWith({ read })
  const answer = await requestFailing('/')
  assert.equal(answer.statusCode, 503)
  assert.equal(headersOf(answer)['cache-control'], 'no-store')
  assert.doesNotMatch(answer.body ?? '', /table/)
  assert.match(String(errors), /the table is gone/)
  fails = false
  assert.equal((await requestFailing('/')).statusCode, 200)
})

test('a thousand requests within fifteen seconds cause one read of the store', async () => {
  let reads = 0
  const clock = { now }
  const read = async () => {
    reads += 1
    return published
  }
  const { request: requestOften } = pagesWith({ clock, read })
  await Promise.all(Array.from({ length: 1000 }, () => requestOften('/certificates.json')))
  assert.equal(reads, 1)
  clock.now += 15_000
  await requestOften('/certificates.json')
  assert.equal(reads, 2)
})

const hosts: [host: string, status: number, lookedUp: string[]][] = [
  ['mta-sts.ours.example', 200, ['ours.example']],
  ['MTA-STS.Ours.Example', 200, ['ours.example']],
  ['mta-sts.ours.example.', 200, ['ours.example']],
  ['mta-sts.ours.example:8443', 200, ['ours.example']],
  ['mta-sts.theirs.example', 404, ['theirs.example']],
  ['mta-sts.mx.ours.example', 404, ['mx.ours.example']],
  ['mta-sts.ours.example/../x', 404, []],
  ['pages.example', 200, []],
]
for (const [host, status, expected] of hosts)
  test(`a request for the MTA-STS policy at ${host} gets ${status}`, async () => {
    const { request: requestHost, lookedUp } = pagesWith()
    const answer = await requestHost('/.well-known/mta-sts.txt', { host })
    assert.equal(answer.statusCode, status)
    assert.deepEqual(lookedUp, expected)
    if (status !== 200) return
    assert.equal(answer.body, policy)
    assert.equal(headersOf(answer)['content-type'], 'text/plain; charset=utf-8')
  })

test('the header of CloudFront names the policy host, because its Host header names the API', async () => {
  const { request: requestWithHeader, lookedUp } = pagesWith()
  const { statusCode } = await requestWithHeader('/.well-known/mta-sts.txt', {
    host: 'a1b2c3.execute-api.eu-west-1.amazonaws.com',
    headers: { 'x-mailflow-policy-host': 'mta-sts.theirs.example' },
  })
  assert.equal(statusCode, 404)
  assert.deepEqual(lookedUp, ['theirs.example'])
})

test('a request for the MTA-STS policy gets 404 when the deployment has no policy', async () => {
  const { request: requestWithoutPolicy, lookedUp } = pagesWith({ policy: null })
  assert.equal(
    (await requestWithoutPolicy('/.well-known/mta-sts.txt', { host: 'mta-sts.ours.example' })).statusCode,
    404,
  )
  assert.deepEqual(lookedUp, [])
})

test('HTML in the subject of a certificate adds no elements to the page', async () => {
  const odd = '<script>alert(1)</script>"\'`&amp; <b>'
  const certificate = await certificateWith({
    subject: [{ CN: [hostname] }, { O: [odd] }, { OU: ['</dd><h1>'] }],
  })
  const description = describeCertificates({ certificate, deprecated: [] }, { hostname, now: new Date(now) })
  assert.equal(description.certificates[0]?.organization, odd)
  const { body = '' } = await pagesWith({ read: async () => description }).request('/')
  assert.doesNotMatch(body, /<script|<b>|<\/dd><h1>/)
  assert.ok(body.includes('&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#96;&#38;amp; &#60;b&#62;'))
})
