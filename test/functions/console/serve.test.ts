/** The responses of the console's function. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createConsole, type SignIn } from '../../../functions/console/serve.ts'

const files = new Map(
  ['index.html', 'main-ABC.js'].map((name) => [
    name,
    {
      type: name.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8',
      compressed: gzipSync(`the content of ${name}`),
      entityTag: `"${name}"`,
    },
  ]),
)
const signIn: SignIn = {
  issuer: 'https://login.example.net/',
  clientId: 'console',
  scopes: ['mail'],
  sessionMinutes: 480,
}

function get(rawPath: string, headers: Record<string, string> = {}, settings: SignIn | null = null) {
  const handler = createConsole({
    files,
    signIn: settings,
    signInOrigins: async () => ['https://login.example.net', 'https://tokens.example.net'],
    version: '1.2.3',
  })
  return handler({ rawPath, headers } as unknown as APIGatewayProxyEventV2)
}

describe('the console', () => {
  for (const path of ['/console', '/console/', '/console/messages/01J', '/console/partners/bank.example'])
    test(`answers ${path} with its page`, async () => {
      const { statusCode, body = '', headers } = await get(path)
      assert.deepEqual(
        [statusCode, Buffer.from(body, 'base64').toString(), headers?.['cache-control']],
        [200, 'the content of index.html', 'no-cache'],
      )
    })

  test('answers a name with a digest with a file that may be kept', async () => {
    const { body = '', headers } = await get('/console/main-ABC.js', { 'accept-encoding': 'br, gzip' })
    assert.equal(gunzipSync(Buffer.from(body, 'base64')).toString(), 'the content of main-ABC.js')
    assert.equal(headers?.['content-encoding'], 'gzip')
    assert.match(String(headers?.['cache-control']), /immutable/)
  })

  test('answers 304 to the entity tag that the browser has', async () => {
    const { statusCode, body } = await get('/console', { 'if-none-match': '"index.html"' })
    assert.deepEqual([statusCode, body], [304, undefined])
  })

  for (const path of ['/console/main-OLD.js', '/console/../secret.txt', '/console/favicon.ico'])
    test(`has no file ${path}`, async () => assert.equal((await get(path)).statusCode, 404))

  test('has a policy that permits only its own scripts, styles and requests', async () => {
    const { headers } = await get('/console')
    assert.equal(
      headers?.['content-security-policy'],
      "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self' data:; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
  })

  test('permits requests to the identity provider, if people sign in', async () => {
    const { headers } = await get('/console', {}, signIn)
    assert.match(
      String(headers?.['content-security-policy']),
      /connect-src 'self' https:\/\/login\.example\.net https:\/\/tokens\.example\.net;/,
    )
  })

  for (const settings of [signIn, null])
    test(`says how people sign in: ${settings?.issuer ?? 'not at all'}`, async () => {
      const { body = '' } = await get('/console/config.json', {}, settings)
      assert.deepEqual(JSON.parse(body), { signIn: settings, version: '1.2.3' })
    })
})
