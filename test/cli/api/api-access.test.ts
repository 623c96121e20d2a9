/** Tests how requests authenticate, and the errors of failed requests. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { mailflow, startAnsweringServer } from '../../support/cli/mailflow.ts'
import { freePort } from '../../support/process.ts'

const credentials = {
  id: 'AKIDEXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  token: 'session+token/=',
}
const main = join(import.meta.dirname, '../../../cli/main.ts')

/** Runs a command in a child process, because AWS credentials come from the environment. */
async function signing(url: string, ...args: string[]): Promise<void> {
  const env = {
    AWS_ACCESS_KEY_ID: credentials.id,
    AWS_SECRET_ACCESS_KEY: credentials.secret,
    AWS_SESSION_TOKEN: credentials.token,
    AWS_EC2_METADATA_DISABLED: 'true',
    MAILFLOW_API: url,
  }
  await promisify(execFile)(process.execPath, [main, ...args], { env, timeout: 60_000 })
}

const emptyList = JSON.stringify({ items: [], nextCursor: null })

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

/** Encodes as RFC 3986 §2.3 requires, with hexadecimal digits in upper case. */
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Computes the signature that AWS would compute for the received request (Signature Version 4).
 */
function expectedSignature(
  { method, url = '', headers }: IncomingMessage,
  body: string,
  signedHeaders: string[],
  scope: string,
) {
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  const canonicalQuery = query
    .split('&')
    .filter(Boolean)
    .map((pair) =>
      pair
        .split('=')
        .map((part) => encoded(decodeURIComponent(part)))
        .join('='),
    )
    .sort()
    .join('&')
  const canonical = [
    method,
    // For every service except S3, the canonical path is encoded twice.
    path.split('/').map(encoded).join('/'),
    canonicalQuery,
    ...signedHeaders.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    sha256(body),
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n')
  const key = scope
    .split('/')
    .reduce<string | Buffer>((so, part) => hmac(so, part), `AWS4${credentials.secret}`)
  return hmac(key, toSign).toString('hex')
}

function assertSigned(request: IncomingMessage, body: string, region: string): void {
  const { authorization = '' } = request.headers
  const form =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
  const [, id, scope = '', signedHeaders = '', signature] = form.exec(authorization) ?? []
  assert.equal(id, credentials.id)
  assert.match(scope, new RegExp(`^\\d{8}/${region}/execute-api/aws4_request$`))
  const names = signedHeaders.split(';')
  assert.ok(
    ['host', 'x-amz-date', 'x-amz-security-token'].every((name) => names.includes(name)),
    signedHeaders,
  )
  assert.deepEqual(request.headers['x-amz-security-token'], credentials.token)
  assert.equal(signature, expectedSignature(request, body, names, scope))
}

describe('an AWS signature', () => {
  test('is valid for a path and a query with characters that must be escaped', async () => {
    const requests: IncomingMessage[] = []
    const { url, stop } = await startAnsweringServer((request) => {
      requests.push(request)
      return { body: emptyList }
    })
    await signing(
      `${url}/prod`,
      'messages',
      '--sender',
      "o'brien+a&b=c*(!)~@ü.example",
      '--region',
      'eu-central-1',
    )
    await signing(url, 'messages', 'a b/ü*', '--sign', '--region', 'eu-west-1', '--json')
    stop()
    const [list, one] = requests
    assert.ok(list && one)
    assert.match(list.url ?? '', /^\/prod\/messages\?/)
    assert.equal(one.url, '/messages/a%20b%2F%C3%BC%2A')
    assertSigned(list, '', 'eu-central-1')
    assertSigned(one, '', 'eu-west-1')
  })

  test('covers the request body', async () => {
    const bodies = new Map<IncomingMessage, string>()
    const { url, stop } = await startAnsweringServer((request) => {
      bodies.set(request, '')
      request.on('data', (chunk) => bodies.set(request, `${bodies.get(request)}${chunk}`))
      return { body: '{}' }
    })
    const question = [
      'explain',
      '--from',
      'ä@a.example',
      '--to',
      'b@b.example',
      '--ip',
      '192.0.2.1',
      '--json',
    ]
    await signing(url, ...question, '--region', 'eu-central-1')
    stop()
    const [[request, body = ''] = []] = bodies
    assert.ok(request && body.includes('ä@a.example'))
    assertSigned(request, body, 'eu-central-1')
    assert.throws(() => assertSigned(request, `${body} `, 'eu-central-1'))
  })

  test('is refused without a region, with an error that names --region and AWS_REGION', async () => {
    const { status, err } = await mailflow(['messages', '--sign'])
    assert.deepEqual([status, err], [2, 'mailflow: --sign needs a region: use --region or set AWS_REGION\n'])
  })
})

describe('a bearer token', () => {
  const authorizations: [string, string[], Record<string, string>, string | undefined][] = [
    ['of --token is sent', ['--token', 'one'], {}, 'Bearer one'],
    ['of MAILFLOW_TOKEN is sent', [], { MAILFLOW_TOKEN: 'two' }, 'Bearer two'],
    [
      'of --token has precedence over the token of MAILFLOW_TOKEN',
      ['--token', 'one'],
      { MAILFLOW_TOKEN: 'two' },
      'Bearer one',
    ],
    ['is not sent when neither --token nor MAILFLOW_TOKEN is set', [], {}, undefined],
  ]
  for (const [title, options, env, expected] of authorizations)
    test(title, async () => {
      let authorization: string | undefined = 'not asked'
      const { url, stop } = await startAnsweringServer(({ headers }) => {
        authorization = headers.authorization
        return { body: emptyList }
      })
      const { status } = await mailflow(['messages', ...options], { env: { MAILFLOW_API: url, ...env } })
      stop()
      assert.deepEqual([status, authorization], [0, expected])
    })

  test('is not sent to the target of a redirect, which is not followed', async () => {
    let requestCount = 0
    const { url, stop } = await startAnsweringServer(() => {
      requestCount++
      return { status: 307, headers: { location: '/elsewhere' }, body: '' }
    })
    const { status } = await mailflow(['messages', '--token', 'one', '--api', url])
    stop()
    assert.deepEqual([status, requestCount], [1, 1])
  })
})

describe('credentials', () => {
  const refused: [string, string[], Record<string, string>][] = [
    ['a token of --token', ['--token', 'one'], {}],
    ['a token of MAILFLOW_TOKEN', [], { MAILFLOW_TOKEN: 'two' }],
    ['a signature', ['--region', 'eu-central-1'], {}],
  ]
  for (const api of [
    'http://gateway.example',
    'http://127.0.0.1.example',
    'http://x.execute-api.eu-west-1.amazonaws.com',
  ])
    for (const [title, options, env] of refused)
      test(`are not sent in the clear to ${api}: ${title}`, async () => {
        const { status, err } = await mailflow(['messages', '--api', api, ...options], { env })
        assert.equal(status, 1)
        assert.equal(
          err,
          `mailflow: credentials are not sent to ${api}, which does not use TLS; give an https address\n`,
        )
      })
})

describe('an error of a request to the API', () => {
  test('names the command that starts the gateway when the connection is refused', async () => {
    const api = `http://127.0.0.1:${await freePort()}`
    const { status, err } = await mailflow(['messages', '--api', api])
    assert.equal(status, 1)
    assert.match(
      err,
      new RegExp(
        `^mailflow: connection refused by ${api}/\n {2}Start the gateway .*npm start.*--api URL, or MAILFLOW_API`,
      ),
    )
  })

  const answers: [string, number, string, RegExp][] = [
    [
      'API Gateway refuses an unsigned request',
      403,
      '{"message":"Forbidden"}',
      /^mailflow: GET \/messages: 403 Forbidden\n {2}The API requires a request signed by/,
    ],
    [
      'API Gateway at a custom domain refuses a signature for another Region',
      403,
      `{"message":"Credential should be scoped to a valid Region, not 'us-east-1'."}`,
      /not 'us-east-1'\.\n {2}The API requires .*: use --region with the stack's Region, and set AWS credentials\.\n {2}With a token, the token must have a required scope\.\n$/,
    ],
    [
      'the API requires a token',
      401,
      '{"message":"Unauthorized"}',
      /401 Unauthorized\n {2}The API requires a token that has not expired/,
    ],
    [
      'a person does not have the role',
      403,
      '{"title":"Forbidden","status":403,"detail":"This request needs the role operate. You have the role read."}',
      /^mailflow: Forbidden: This request needs the role operate\. You have the role read\.\n$/,
    ],
    ['the server is not the API', 200, '<html>', /unexpected response to GET \/messages/],
    ['the response has no body', 502, '', /^mailflow: GET \/messages: 502 Bad Gateway\n$/],
    [
      'the API has an internal error',
      500,
      '{"title":"Internal Server Error","status":500,"detail":"It failed.","instance":"urn:request:abc"}',
      /^mailflow: Internal Server Error: It failed\.\n {2}Search the API's log for urn:request:abc\.\n$/,
    ],
  ]
  for (const [title, status, body, message] of answers)
    test(`is shown when ${title}`, async () => {
      const { url, stop } = await startAnsweringServer(() => ({ status, body }))
      const ended = await mailflow(['messages', '--api', url])
      stop()
      assert.equal(ended.status, 1)
      assert.match(ended.err, message)
    })

  for (const api of [
    'gateway.example',
    'ftp://gateway.example',
    'https://gateway.example/?a=b',
    'https://me@gateway.example',
  ])
    test(`is shown for the invalid API address ${api}`, async () => {
      const { status, err } = await mailflow(['messages', '--api', api])
      assert.equal(status, 2)
      assert.match(err, /^mailflow: .*address/)
    })
})
