/** People sign in at an identity provider, and see what their role permits. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { type ConsoleTest, skip, startConsole } from '../support/console.ts'
import {
  audience,
  clientId,
  type IdentityProvider,
  scope,
  startIdentityProvider,
} from '../support/identity-provider.ts'
import { launchTrusting } from '../support/local/runner.ts'
import { createPki } from '../support/pki.ts'

const groups = { ann: ['Mail Administrators'], ray: ['Mail Readers'], eve: ['Others'] }
const mapping = { 'Mail Administrators': 'administer', 'Mail Readers': 'read' }

describe('signing in', { skip }, () => {
  let console: ConsoleTest
  let provider: IdentityProvider
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-sign-in-'))

  before(async () => {
    const pki = await createPki()
    const tls = await pki.issue({ names: ['localhost'], addresses: ['127.0.0.1'] })
    provider = await startIdentityProvider(tls, groups)
    const settings = {
      jwt: {
        issuer: provider.issuer,
        audience: [audience],
        scopes: [scope],
        roles: { claim: 'groups', mapping },
      },
      console: { clientId },
    }
    writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings))
    console = await startConsole(
      ['--no-demo', '--settings', join(folder, 'settings.json')],
      launchTrusting(pki.ca),
    )
  })
  after(async () => {
    await console?.close()
    await provider?.stop()
    rmSync(folder, { recursive: true })
  })

  async function open(user: string, view = '') {
    provider.browserUser = user
    return console.open(view, { ignoreHTTPSErrors: true })
  }

  const callerOf = (page: Page) =>
    page.waitForResponse((response) => response.url().endsWith('/caller')).then((response) => response.json())

  test('leads to the view that was wanted, with nothing of the sign-in in its address', async () => {
    const { page, assertNoFaults, assertAccessible } = await open('ann', '/messages?state=Rejected')
    assert.equal(
      new URL(page.url()).pathname + new URL(page.url()).search,
      '/console/messages?state=Rejected',
    )
    await page.getByRole('button', { name: 'ann' }).waitFor()
    assertNoFaults()
    await assertAccessible()
  })

  test('stores no token in the browser', async () => {
    const { page } = await open('ann')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    const stored = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    )
    assert.doesNotMatch(String(stored), /eyJ|code_verifier|mailflow-sign-in/)
  })

  for (const [user, roles] of [
    ['ann', ['administer']],
    ['ray', ['read']],
  ] as const)
    test(`gives ${user} the roles ${roles.join()}`, async () => {
      const { page } = await open(user)
      const [caller] = await Promise.all([callerOf(page), page.reload()])
      assert.deepEqual(caller, { name: user, roles })
    })

  test('says to a person without a role what is missing', async () => {
    const { page } = await open('eve')
    await page.getByText('Your role does not show this').first().waitFor()
  })

  test('says that the session has ended, and leads back after signing in again', async () => {
    provider.tokenSeconds = 2
    const { page } = await open('ann')
    await page.waitForTimeout(2500)
    provider.tokenSeconds = 600
    await page.getByText('Your session has ended').first().waitFor({ timeout: 45_000 })
    await page.getByRole('button', { name: 'Sign in' }).first().click()
    await page.getByText('No mail waits').waitFor()
  })

  test('ends in all pages of the browser when a person signs out', async () => {
    const { page } = await open('ann')
    const other = await page.context().newPage()
    await other.goto(page.url(), { waitUntil: 'networkidle' })
    await page.getByRole('button', { name: 'ann' }).click()
    await page.getByText('Sign out everywhere').click()
    await other.getByRole('heading', { name: 'You have signed out' }).waitFor()
    assert.ok(page.url().startsWith(provider.issuer), page.url())
  })
})
