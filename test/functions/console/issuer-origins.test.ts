import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, test } from 'node:test'
import { issuerOrigins } from '../../../functions/console/issuer-origins.ts'
import { listen } from '../../support/listen.ts'

describe('the origins of an issuer', () => {
  async function issuerWith(t: { after(fn: () => unknown): void }, metadata: () => object | null) {
    const requests: string[] = []
    const server = createServer((request, response) => {
      requests.push(request.url ?? '')
      const body = metadata()
      response.writeHead(body === null ? 500 : 200).end(JSON.stringify(body))
    })
    const { url, stop } = await listen(server)
    t.after(stop)
    return { issuer: url, requests }
  }
  const elsewhere = { token_endpoint: 'https://tokens.example.net/token' }

  test('are its own and that of its token endpoint, read once an hour', async (t) => {
    let now = 0
    const { issuer, requests } = await issuerWith(t, () => elsewhere)
    const read = issuerOrigins(`${issuer}/`, () => now)
    const expected = [issuer, 'https://tokens.example.net']
    assert.deepEqual([await read(), await read()], [expected, expected])
    now = 3_600_001
    await read()
    assert.deepEqual(requests, Array(2).fill('/.well-known/openid-configuration'))
  })

  test('are its own as long as its metadata cannot be read', async (t) => {
    const answers = [null, {}, elsewhere]
    let now = 0
    const { issuer, requests } = await issuerWith(t, () => answers.shift() ?? null)
    const read = issuerOrigins(issuer, () => now)
    const results: unknown[] = []
    for (now of [0, 29_999, 30_000, 60_000]) results.push(await read())
    assert.deepEqual(results, [[issuer], [issuer], [issuer], [issuer, 'https://tokens.example.net']])
    assert.equal(requests.length, 3, 'a failure is cached for half a minute')
  })
})
