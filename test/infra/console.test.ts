/** The console's function and its routes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { bundleConsoleFiles } from '../../infra/console/bundle-console-files.ts'
import { type Json, resources, resourcesOfType } from '../support/synthesis.ts'

const jwt = {
  issuer: 'https://login.example.net/',
  audience: ['mailflow'],
  scopes: ['mailflow/admin'],
  roles: { claim: 'groups', mapping: { 'Mail Administrators': 'administer' } },
}
const signedIn = { jwt, console: { clientId: 'mailflow-console' } }

const consoleRoutes = (mailflow: Record<string, unknown>) =>
  resourcesOfType('AWS::ApiGatewayV2::Route', mailflow).filter(({ Properties }) =>
    Properties.RouteKey.includes('/console'),
  )

describe('the console of the stack', () => {
  test('is at the API for people who sign in, and needs no token for its files', () => {
    const routes = consoleRoutes(signedIn)
    assert.deepEqual(
      routes.map(({ Properties: { RouteKey, AuthorizationType, ApiId } }) => [
        RouteKey,
        AuthorizationType,
        ApiId.Ref.startsWith('ApiSignInApi'),
      ]),
      [
        ['GET /console', 'NONE', true],
        ['GET /console/{path+}', 'NONE', true],
      ],
    )
  })

  test('knows the issuer, its own id and the scopes that tokens need', () => {
    const [{ Properties } = assert.fail()] = resourcesOfType('AWS::Lambda::Function', signedIn).filter(
      ({ id }) => id.startsWith('ConsoleFunction'),
    )
    const { STACK_NAME: _, ...variables } = Properties.Environment.Variables as Json
    assert.deepEqual(variables, {
      SIGN_IN_ISSUER: 'https://login.example.net/',
      SIGN_IN_CLIENT_ID: 'mailflow-console',
      SIGN_IN_SCOPES: '["mailflow/admin"]',
    })
  })

  test('is absent without the setting', () => {
    assert.deepEqual([consoleRoutes({}), consoleRoutes({ jwt })], [[], []])
    assert.ok(!resources({}).some(({ id }) => id.startsWith('Console')))
  })
})

test('the scripts of the console have at most 480 KB compressed, and no file has more than a response of Lambda', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-console-files-'))
  try {
    bundleConsoleFiles(folder)
    const files = readdirSync(join(folder, 'files'))
    const sizeOf = (name: string) => statSync(join(folder, 'files', name)).size
    const scripts = files
      .filter((name) => name.endsWith('.js.gz'))
      .reduce((sum, name) => sum + sizeOf(name), 0)
    assert.ok(scripts > 100_000 && scripts <= 480_000, `${scripts} octets of scripts`)
    assert.ok(files.length > 2)
    for (const name of files) assert.ok(sizeOf(name) < 4_000_000, name)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
