/** The console's function and its routes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
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

  test('has a throttle of its own, so that a flood of its pages stops no administrator', () => {
    const stages = resourcesOfType('AWS::ApiGatewayV2::Stage', signedIn).filter(
      ({ Properties: { RouteSettings = {} } }) => 'GET /console' in RouteSettings,
    )
    assert.deepEqual(
      stages.map(({ Properties: { RouteSettings, ApiId } }) => [
        ApiId.Ref.startsWith('ApiSignInApi'),
        RouteSettings['GET /console'],
        RouteSettings['GET /console/{path+}'],
      ]),
      [
        [
          true,
          { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 100 },
          { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 100 },
        ],
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
      SIGN_IN_SESSION_MINUTES: '480',
    })
  })

  test('is absent without the setting', () => {
    assert.deepEqual([consoleRoutes({}), consoleRoutes({ jwt })], [[], []])
    assert.ok(!resources({}).some(({ id }) => id.startsWith('Console')))
  })
})

test('no view of the console loads more than 480 KB of compressed scripts, and no file exceeds a response of Lambda', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-console-files-'))
  try {
    const { outputs } = bundleConsoleFiles(folder)
    const sizeOf = (name: string) => statSync(join(folder, 'files', `${name}.gz`)).size
    const loadedBy = (path: string, loaded: Set<string>): Set<string> => {
      if (loaded.has(path)) return loaded
      loaded.add(path)
      for (const { path: imported, kind } of outputs[path]?.imports ?? [])
        if (kind === 'import-statement') loadedBy(imported, loaded)
      return loaded
    }
    const entries = Object.entries(outputs).filter(
      ([path, { entryPoint }]) => entryPoint && path.endsWith('.js'),
    )
    const main = entries.find(([, { entryPoint }]) => entryPoint?.endsWith('main.tsx'))?.[0] ?? assert.fail()
    assert.ok(entries.length > 2)
    for (const [view, { entryPoint }] of entries) {
      const files = [...loadedBy(view, loadedBy(main, new Set()))].map((path) => basename(path))
      const octets = files.reduce((sum, name) => sum + sizeOf(name), 0)
      assert.ok(octets > 100_000 && octets <= 480_000, `${entryPoint}: ${octets} octets`)
    }
    for (const name of readdirSync(join(folder, 'files'))) {
      assert.doesNotMatch(name, /^all\./, 'a translation that nothing imports')
      assert.ok(statSync(join(folder, 'files', name)).size < 4_000_000, name)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
