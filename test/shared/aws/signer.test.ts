import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { Signer } from '../../../shared/aws/signer.ts'

const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const ofSuite = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: secret }
const ofS3 = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Published by AWS: the test suite of Signature Version 4, and examples from the S3 reference. */
const published = [
  {
    name: 'get-vanilla',
    scope: { region: 'us-east-1', service: 'service' },
    credentials: ofSuite,
    at: '2015-08-30T12:36:00Z',
    request: { method: 'GET', path: '/', headers: { host: 'example.amazonaws.com' }, payloadHash: nothing },
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'post-vanilla',
    scope: { region: 'us-east-1', service: 'service' },
    credentials: ofSuite,
    at: '2015-08-30T12:36:00Z',
    request: { method: 'POST', path: '/', headers: { host: 'example.amazonaws.com' }, payloadHash: nothing },
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  {
    name: 'get-vanilla-query-order-key-case',
    scope: { region: 'us-east-1', service: 'service' },
    credentials: ofSuite,
    at: '2015-08-30T12:36:00Z',
    request: {
      method: 'GET',
      path: '/',
      query: 'Param2=value2&Param1=value1',
      headers: { host: 'example.amazonaws.com' },
      payloadHash: nothing,
    },
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    name: 'PUT Object',
    scope: { region: 'us-east-1', service: 's3' },
    credentials: ofS3,
    at: '2013-05-24T00:00:00Z',
    request: {
      method: 'PUT',
      path: '/test%24file.text',
      headers: {
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        host: 'examplebucket.s3.amazonaws.com',
        'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      payloadHash: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
]

for (const { name, scope, credentials, at, request, signature } of published)
  test(`the signer's signature of AWS's example ${name} is the published one`, () => {
    const { authorization = '' } = new Signer(scope).sign(request, credentials, new Date(at))
    assert.equal(authorization.split('Signature=')[1], signature)
  })

/** SHA-256 with the interface of the SDK's signer. */
class Sha256 {
  readonly #hash
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', octetsOf(key))
  }
  update(data: string | ArrayBuffer | ArrayBufferView) {
    this.#hash.update(octetsOf(data))
  }
  async digest() {
    return new Uint8Array(this.#hash.digest())
  }
  reset() {}
}

function octetsOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return data instanceof ArrayBuffer
    ? Buffer.from(data)
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

const text = (letters: string, minLength = 1) =>
  fc.string({ unit: fc.constantFrom(...letters), minLength, maxLength: 20 })
const word = text('abcdefghijklmnopqrstuvwxyz0123456789')
const octet = fc.nat(255)
const requests = fc.record({
  method: fc.constantFrom('PUT', 'POST'),
  // Percent-encoded once, as on the wire.
  path: fc
    .array(fc.array(octet, { maxLength: 8 }), { minLength: 1, maxLength: 4 })
    .map(
      (segments) =>
        `/${segments.map((octets) => encodeURIComponent(octets.map((code) => String.fromCharCode(code)).join(''))).join('/')}`,
    ),
  headers: fc.dictionary(
    word.map((name) => `x-amz-meta-${name}`),
    text('ABCdef012=/+;,-', 1),
    { maxKeys: 6 },
  ),
  body: fc.uint8Array({ maxLength: 100 }),
  credentials: fc.record({
    accessKeyId: text('AKI0123456789'),
    secretAccessKey: text('abcXYZ+/=', 1),
    sessionToken: fc.option(text('abcXYZ+/=', 1), { nil: undefined }),
  }),
  at: fc.date({ min: new Date('2001-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }),
})

/** Names that are prefixes of others, and characters that some encodings leave unchanged. */
const parameter = fc.string({ unit: fc.constantFrom(...'aAb-._~%+&=/?#:;,!\'()*$@[]| "ü€😀'), maxLength: 4 })
const queries = fc.dictionary(
  parameter.filter((name) => name !== ''),
  fc.array(parameter, { minLength: 1, maxLength: 3 }),
  { maxKeys: 6, noNullPrototype: true },
)

const queryText = (query: Record<string, string[]>): string =>
  Object.entries(query)
    .flatMap(([name, values]) =>
      values.map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
    )
    .join('&')

const hasDots = (path: string) => path.split('/').some((segment) => /^\.\.?$/.test(segment))

const requestsTo = (service: string) => requests.filter(({ path }) => service === 's3' || !hasDots(path))

for (const service of ['s3', 'sqs', 'execute-api'])
  test(`the signer signs every request to ${service} as the SDK's signer does`, async () => {
    const region = 'eu-central-1'
    const signer = new Signer({ region, service })
    await fc.assert(
      fc.asyncProperty(requestsTo(service), queries, async ({ body, credentials, at, ...request }, query) => {
        const payloadHash = createHash('sha256').update(body).digest('hex')
        const headers = { ...request.headers, host: 'service.example', 'x-amz-content-sha256': payloadHash }
        const sdk = new SignatureV4({
          credentials: credentials as { accessKeyId: string; secretAccessKey: string },
          region,
          service,
          sha256: Sha256 as never,
          uriEscapePath: service !== 's3',
          applyChecksum: false,
        })
        const whole = {
          ...request,
          protocol: 'https:',
          hostname: 'service.example',
          query,
          body,
          headers,
        }
        const expected: unknown = await sdk.sign(whole as never, { signingDate: at })
        const { headers: signed } = expected as { headers: unknown }
        const unsigned = { ...request, query: queryText(query), headers, payloadHash }
        assert.deepEqual(signer.sign(unsigned, credentials, at), signed)
      }),
    )
  })

test('a signer that has signed before derives the right key for another day and for other credentials', () => {
  const scope = { region: 'us-east-1', service: 's3' }
  const request = { method: 'PUT', path: '/key', headers: { host: 'h' }, payloadHash: nothing }
  const signer = new Signer(scope)
  const days = ['2026-01-01T23:59:59Z', '2026-01-02T00:00:00Z', '2026-01-01T23:59:59Z'].map(
    (day) => new Date(day),
  )
  for (const credentials of [ofSuite, ofS3, ofSuite])
    for (const day of days)
      assert.deepEqual(
        signer.sign(request, credentials, day),
        new Signer(scope).sign(request, credentials, day),
      )
})
