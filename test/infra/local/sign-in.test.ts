/**
 * People with tokens of an identity provider, and machines with AWS signatures, at the real functions behind the API
 * servers of the local runner.
 */
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request as sendRequest } from 'node:http'
import { json } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { type ApiServer, startApiServer } from '../../../infra/local/api-server.ts'
import { Role, type RoleMapping } from '../../../shared/contract/roles.ts'
import { allowedRoles } from '../../support/api-roles.ts'
import { mailflow } from '../../support/cli/mailflow.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  audience,
  type IdentityProvider,
  scope,
  startIdentityProvider,
} from '../../support/identity-provider.ts'
import { createPki } from '../../support/pki.ts'
import { trust } from '../../support/policy-host.ts'
import { createApiFunctions, iamRoutes, signInRoutes } from '../../support/sign-in-routes.ts'

/** One user for each role, and users whose groups give none. */
const groupsByUser = {
  read: ['Mail Readers'],
  operate: ['Staff', 'Help Desk'],
  administer: ['Mail Administrators'],
  audit: ['Auditors'],
  'no mapped group': ['Staff'],
  'a group name with a space': ['x Mail Administrators', 'Mail Administrators x', 'Mail'],
  'a group name with brackets': ['[Mail Administrators]', 'x] [Mail Administrators'],
  'a group name with a comma': ['x,Mail Administrators', '"Mail Administrators"'],
  'a text with a group name and another word': 'x Mail Administrators',
}
const withoutRole = [...Object.keys(groupsByUser).filter((user) => !Role.safeParse(user).success), 'no claim']

const mapping: RoleMapping = {
  claim: 'groups',
  mapping: {
    'Mail Readers': ['read'],
    'Help Desk': ['operate'],
    'Mail Administrators': ['administer'],
    Auditors: ['audit'],
  },
}

let database: TestDynamoDb
let provider: IdentityProvider
let signInApi: ApiServer
let iamApi: ApiServer
const tokens = new Map<string, string>()
let invocations = 0

before(async () => {
  const pki = await createPki()
  trust(pki.ca)
  const tls = await pki.issue({ names: ['localhost'], addresses: ['127.0.0.1'] })
  database = await startDynamoDb()
  provider = await startIdentityProvider(tls, groupsByUser)
  const invoke = createApiFunctions(database, mapping, () => {
    invocations += 1
  })
  const server = { port: 0, option: 'test' }
  signInApi = await startApiServer(signInRoutes(provider.issuer), invoke, server, assert.fail)
  iamApi = await startApiServer(iamRoutes, invoke, server, assert.fail)
  for (const user of [...Object.keys(groupsByUser), 'no claim']) tokens.set(user, await provider.signIn(user))
})
after(async () => {
  await Promise.all([signInApi.close(), iamApi.close()])
  await provider.stop()
  await database.stop()
})

const tokenOf = (user: string) => tokens.get(user) ?? assert.fail(user)

interface Answer {
  status: number
  detail: string
  body: { message?: string }
  headers: Headers
}

async function call({ port }: ApiServer, target: string, authorization?: string): Promise<Answer> {
  const [method = '', path = ''] = target.split(' ')
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { ...(authorization !== undefined && { authorization }) },
  })
  const body = (response.status === 204 ? {} : await response.json()) as { detail?: string; message?: string }
  return { status: response.status, detail: body.detail ?? '', body, headers: response.headers }
}

/** A path that leads to no stored item. */
const pathOf = (route: string) =>
  route.replace('{id}', '01ARZ3NDEKTSV4RRFFQ69G5FAV').replace('{domain}', 'contoso.example')

describe('the matrix of routes and roles', () => {
  for (const role of Role.options)
    test(`a person with the role ${role} may use exactly the routes of this role`, async () => {
      for (const [route, roles] of Object.entries(allowedRoles)) {
        const { status, detail } = await call(signInApi, pathOf(route), `Bearer ${tokenOf(role)}`)
        if (roles.includes(role)) assert.ok(status !== 403 && status < 500, `${route}: ${status} ${detail}`)
        else assert.deepEqual([status, detail], [403, refusal(route, role)], route)
      }
    })

  for (const user of withoutRole)
    test(`a person with ${user} may use no route`, async () => {
      for (const route of Object.keys(allowedRoles)) {
        const { status, detail } = await call(signInApi, pathOf(route), `Bearer ${tokenOf(user)}`)
        assert.equal(status, 403, route)
        assert.match(detail, /^This request needs the role \w+\. You have no role\.$/)
      }
    })
})

/** The least role of a route is the first that may use it. */
const refusal = (route: string, role: Role) =>
  `This request needs the role ${allowedRoles[route]?.[0]}. You have the role ${role}.`

describe('a machine', () => {
  test('may use every route that IAM allows, while people sign in at the other API', async () => {
    for (const route of Object.keys(allowedRoles)) {
      const { status } = await call(iamApi, pathOf(route))
      assert.ok(status !== 403 && status < 500, route)
    }
  })

  test('needs a token at the API for people', async () => {
    const signature = 'AWS4-HMAC-SHA256 Credential=AKIA/20260203/eu-west-1/execute-api/aws4_request'
    assert.equal((await call(signInApi, 'GET /messages', signature)).status, 401)
  })
})

describe('a token that API Gateway refuses', () => {
  const now = () => Math.floor(Date.now() / 1000)
  const claims = (changes: object = {}) => ({
    iss: provider.issuer,
    sub: 'administer',
    aud: audience,
    iat: now(),
    exp: now() + 600,
    scope,
    groups: ['Mail Administrators'],
    ...changes,
  })
  /** HMAC with the public key as the secret, which is known to everyone. */
  const confused = () => {
    const { key } = provider
    const pem = createPublicKey({ key, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    })
    return new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: key.kid }).sign(Buffer.from(pem))
  }
  const byOtherKey = async (kid: string, alg = 'RS256') =>
    new SignJWT(claims()).setProtectedHeader({ alg, kid }).sign((await generateKeyPair(alg)).privateKey)
  const withChangedPayload = async () => {
    const [header, , signature] = tokenOf('read').split('.')
    return `${header}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}.${signature}`
  }

  const rows: [title: string, token: () => Promise<string> | string][] = [
    ['it has expired', () => provider.sign(claims({ exp: now() - 1 }))],
    ['it expires now', () => provider.sign(claims({ exp: now() }))],
    ['it never expires', () => provider.sign(claims({ exp: undefined }))],
    ['it is not valid yet', () => provider.sign(claims({ nbf: now() + 60 }))],
    ['it was issued in the future', () => provider.sign(claims({ iat: now() + 60 }))],
    ['it is for another audience', () => provider.sign(claims({ aud: 'console' }))],
    [
      'it is for another audience, although the client is accepted',
      () => provider.sign(claims({ aud: 'console', client_id: audience })),
    ],
    ['it is for no audience', () => provider.sign(claims({ aud: undefined }))],
    ['another issuer issued it', () => provider.sign(claims({ iss: 'https://login.example.net' }))],
    ['its issuer has a slash more', () => provider.sign(claims({ iss: `${provider.issuer}/` }))],
    ['its algorithm is none', () => new UnsecuredJWT(claims()).encode()],
    ['its algorithm is HS256, with the public key', confused],
    ['its algorithm is PS256', () => byOtherKey(provider.key.kid, 'PS256')],
    ['its algorithm is ES256', () => byOtherKey(provider.key.kid, 'ES256')],
    ['another key signed it', () => byOtherKey(provider.key.kid)],
    ['its key is unknown', () => byOtherKey('unknown')],
    ['it names no key', () => provider.sign(claims(), { kid: undefined })],
    ['its payload was changed', withChangedPayload],
    ['it is no token', () => 'administer'],
    ['it is empty', () => ''],
  ]
  for (const [title, token] of rows)
    test(`does not reach the function: ${title}`, async () => {
      const count = invocations
      const { status, body, headers } = await call(signInApi, 'GET /messages', `Bearer ${await token()}`)
      assert.deepEqual([status, body], [401, { message: 'Unauthorized' }])
      assert.match(headers.get('www-authenticate') ?? '', /^Bearer scope="" error="invalid_token"/)
      assert.equal(invocations, count)
    })

  test('does not reach the function: there is none', async () => {
    const { status, body } = await call(signInApi, 'GET /messages')
    assert.deepEqual([status, body], [401, { message: 'Unauthorized' }])
  })

  test('does not reach the function: there are two headers', async () => {
    const count = invocations
    const authorizations = ['read', 'administer'].flatMap((user) => [
      'authorization',
      `Bearer ${tokenOf(user)}`,
    ])
    const request = sendRequest(`http://127.0.0.1:${signInApi.port}/messages`, {
      headers: ['host', '127.0.0.1', ...authorizations],
    }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    assert.deepEqual([response.statusCode, await json(response)], [401, { message: 'Unauthorized' }])
    assert.equal(invocations, count)
  })

  test('gets 403 without the required scope', async () => {
    const count = invocations
    const token = await provider.signIn('administer', 'openid')
    const { status, body } = await call(signInApi, 'GET /messages', `Bearer ${token}`)
    assert.deepEqual([status, body], [403, { message: 'Forbidden' }])
    assert.equal(invocations, count)
  })

  const accepted: [title: string, token: () => Promise<string>][] = [
    ['one of several audiences is accepted', () => provider.sign(claims({ aud: ['console', audience] }))],
    [
      'it has no audience, and the client is accepted',
      () => provider.sign(claims({ aud: undefined, client_id: audience })),
    ],
    ['one of its scopes is required', () => provider.sign(claims({ scope: `openid ${scope}` }))],
    [
      'one of its scopes in scp is required',
      () => provider.sign(claims({ scope: undefined, scp: ['openid', scope] })),
    ],
  ]
  for (const [title, token] of accepted)
    test(`is unlike one that is accepted: ${title}`, async () =>
      assert.equal((await call(signInApi, 'GET /messages', `Bearer ${await token()}`)).status, 200))
})

describe('npx mailflow', () => {
  const run = (user: string, ...args: string[]) =>
    mailflow([...args, '--api', `http://127.0.0.1:${signInApi.port}`], {
      env: { MAILFLOW_TOKEN: tokenOf(user) },
    })

  test('sends the token of MAILFLOW_TOKEN to the API for people', async () => {
    const { status, out } = await run('read', 'connectors', 'list', '--json')
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(out), { inboundConnectors: [], outboundConnectors: [] })
  })

  test('names the person of the token, and the roles', async () => {
    const { status, out } = await run('operate', 'caller')
    assert.deepEqual([status, out], [0, 'operate\nRoles: operate\n'])
    assert.equal(
      (await run('no claim', 'caller')).err,
      'mailflow: Forbidden: This request needs the role read. You have no role.\n',
    )
  })

  test('names the role that a person needs', async () => {
    const { status, err } = await run('audit', 'retry', '01ARZ3NDEKTSV4RRFFQ69G5FAV')
    assert.equal(status, 1)
    assert.equal(err, 'mailflow: Forbidden: This request needs the role operate. You have the role audit.\n')
  })
})
