/** People sign in at an identity provider, and see what their role permits. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { skip, visit, whenRead } from '../support/console.ts'
import { type PeopleConsole, startPeopleConsole } from '../support/console-people.ts'
import { waitForResult } from '../support/local/runner.ts'

const groups = { ann: ['Mail Administrators'], ray: ['Mail Readers'], eve: ['Others'] }
const mapping = { 'Mail Administrators': 'administer', 'Mail Readers': 'read' }

describe('signing in', { skip }, () => {
  let console: PeopleConsole

  before(async () => {
    console = await startPeopleConsole({ groups, mapping, sessionMinutes: 60 })
  })
  after(() => console?.close())

  const open = (...args: Parameters<PeopleConsole['openAs']>) => console.openAs(...args)

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
    console.provider.tokenSeconds = 2
    const { page } = await open('ann')
    await page.waitForTimeout(2500)
    console.provider.tokenSeconds = 600
    await visit(page, '')
    await page.getByText('Your session has ended').first().waitFor()
    await page.getByRole('button', { name: 'Sign in' }).first().click()
    await page.getByText('Nothing was refused').waitFor()
  })

  test('ends in all pages of the browser when a person signs out', async () => {
    const { page } = await open('ann')
    const other = await page.context().newPage()
    await other.goto(page.url())
    await whenRead(other)
    await page.getByRole('button', { name: 'ann' }).click()
    await page.getByText('Sign out everywhere').click()
    await other.getByRole('heading', { name: 'You have signed out' }).waitFor()
    await other.getByRole('main').waitFor()
    assert.ok(page.url().startsWith(console.provider.issuer), page.url())
  })

  describe('a session of a few seconds', () => {
    /** The setting has minutes. */
    const shortly = (sessionMinutes: number) => async (page: Page) => {
      await page.route('**/config.json', async (route) => {
        const response = await route.fetch()
        const config = await response.json()
        assert.equal(config.signIn.sessionMinutes, 60)
        await route.fulfill({ json: { ...config, signIn: { ...config.signIn, sessionMinutes } } })
      })
    }
    const requestsToProvider = (page: Page) => {
      const requests: URLSearchParams[] = []
      page.on('request', (request) => {
        const url = new URL(request.url())
        if (url.pathname === '/auth') requests.push(url.searchParams)
      })
      return requests
    }

    test('is announced, then ends: the view is hidden until the person authenticates again', async () => {
      const { page } = await open('ann', '/changes?kind=accepted-domain', { prepare: shortly(0.2) })
      const requests = requestsToProvider(page)
      await page.getByText('Your session ends at').waitFor()
      await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
      assert.equal(await page.getByRole('table').count(), 0)
      await page.unroute('**/config.json')
      const { logins } = console.provider
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('table', { name: 'Changes' }).waitFor()
      assert.match(page.url(), /\/console\/changes\?kind=accepted-domain$/)
      assert.equal(console.provider.logins, logins + 1)
      assert.deepEqual(
        requests.map((request) => [request.get('prompt'), request.get('max_age')]),
        [['login', '12']],
      )
    })

    test('hides the view at its end also if the API refused the token before', async () => {
      const { page } = await open('ann', '/changes', { prepare: shortly(0.25) })
      await page.route('**/changes?*', (route) =>
        route.fulfill({ status: 401, json: { message: 'Unauthorized' } }),
      )
      await page.getByRole('searchbox', { name: 'Changed by' }).fill('ann')
      await page.keyboard.press('Enter')
      await page.getByText('Your session has ended. After you sign in again').waitFor()
      await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
      assert.equal(await page.getByRole('table').count(), 0)
    })

    test('keeps what is entered in the wizard until the person has authenticated again', async () => {
      const { page } = await open('ann', '/partners/add?domain=lost.example', { prepare: shortly(0.25) })
      await page.getByRole('button', { name: 'Next', exact: true }).click()
      await page.getByLabel('Comment').fill('Long text')
      await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
      assert.equal(await page.getByLabel('Comment').count(), 0)
      await page.unroute('**/config.json')
      await page.getByRole('button', { name: 'Sign in' }).first().click()
      await page.getByText('What you entered is here again').waitFor()
      await page.getByRole('button', { name: 'Next', exact: true }).click()
      assert.equal(await page.getByLabel('Comment').inputValue(), 'Long text')
    })

    test('counts from the authentication, not from the page: a new page asks for it again', async () => {
      const { page } = await open('ann')
      await shortly(1 / 6)(page)
      const { logins } = console.provider
      await page.waitForTimeout(10_500)
      await page.reload()
      await waitForResult(() => console.provider.logins === logins + 1 || null)
    })

    test('is not prolonged by a provider that ignores the request to authenticate again', async () => {
      const { page } = await open('ann')
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.waitForTimeout(3000)
      console.provider.obeysMaxAge = false
      await shortly(0.02)(page)
      const requests = requestsToProvider(page)
      await page.reload()
      await page.waitForURL(/\/console$/)
      await page
        .getByText(/did not authenticate you again/)
        .first()
        .waitFor()
      console.provider.obeysMaxAge = true
      assert.ok(requests.length >= 1)
    })
  })

  test('says that the session has ended when the API refuses the token of an act', async () => {
    const { page } = await open('ann', '/changes')
    await page.getByRole('table', { name: 'Changes' }).waitFor()
    await page.route('**/changes?*', (route) =>
      route.fulfill({ status: 401, json: { message: 'Unauthorized' } }),
    )
    await page.getByRole('searchbox', { name: 'Changed by' }).fill('ann')
    await page.keyboard.press('Enter')
    await page.getByText('Your session has ended. After you sign in again').waitFor()
    await page.unroute('**/changes?*')
    await page.getByRole('button', { name: 'Sign in' }).first().click()
    await page.getByRole('table', { name: 'Changes' }).waitFor()
    assert.match(page.url(), /\/console\/changes\?actor=ann$/)
  })

  test('opens no page elsewhere after the sign-in, whatever the browser has stored', async () => {
    for (const view of ['https://evil.example/', '//evil.example/console', 'javascript:alert(1)', 7]) {
      const { page } = await open('ann')
      await page.evaluate(
        (stored) => sessionStorage.setItem('mailflow-sign-in', JSON.stringify({ state: 's', view: stored })),
        view,
      )
      await page.goto(`${console.runner.endpoints.console}?code=1&state=s`)
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      assert.equal(new URL(page.url()).origin, new URL(console.runner.endpoints.console ?? '').origin)
      assert.equal(new URL(page.url()).search, '', 'the answer to no sign-in is no view')
      await page.context().close()
    }
  })

  test('says why the provider refused, and tries again', async () => {
    const { page, assertAccessible } = await open('ann', '', {
      prepare: (each) =>
        each.route(
          (url) => url.pathname === '/auth',
          (route) => {
            const parameters = new URL(route.request().url()).searchParams
            const back = new URL(parameters.get('redirect_uri') ?? '')
            back.search = String(
              new URLSearchParams({
                error: 'access_denied',
                error_description: 'Not in the group',
                state: parameters.get('state') ?? '',
                iss: console.provider.issuer,
              }),
            )
            return route.fulfill({ status: 302, headers: { location: back.href } })
          },
          { times: 1 },
        ),
    })
    await page.getByText('refused: Not in the group').waitFor()
    await assertAccessible()
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
  })
})
