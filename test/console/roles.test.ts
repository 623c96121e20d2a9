/** What people with one role each see and may do: one identity provider, one client. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { allowsRole } from '../../shared/contract/allows-role.ts'
import { Role } from '../../shared/contract/roles.ts'
import { operations } from '../docs/api.ts'
import { skip } from '../support/console.ts'
import { type PeopleConsole, startPeopleConsole } from '../support/console-people.ts'
import { addressOf, demoIds, type Samples, viewPaths } from '../support/console-views.ts'

/** A group of the same name for each role; the user `without role` has none. */
const groups = Object.fromEntries(Role.options.map((role) => [role, [role]]))
const mapping = Object.fromEntries(Role.options.map((role) => [role, role]))

/** The buttons that lead to a change, in each view that has any, and the role that they need. */
const acts: Readonly<Record<string, readonly [name: RegExp, needed: Role][]>> = {
  '/messages/:id': [
    [/^Retry now$/, 'operate'],
    [/^Return now$/, 'operate'],
  ],
  '/partners/:name': [
    [/^Validate$/, 'operate'],
    [/^Set to ReportOnly: /, 'administer'],
    [/^Disable: /, 'administer'],
    [/^Hold: /, 'administer'],
    [/^Enforce: /, 'administer'],
    [/^Edit: /, 'administer'],
    [/^Remove: /, 'administer'],
  ],
  '/queues': [
    [/^Retry now$/, 'operate'],
    [/^Release$/, 'operate'],
    [/^Return to sender$/, 'operate'],
    [/^Drop$/, 'administer'],
  ],
}

/** Words of changes. Only a name in `acts` may have one. */
const actWords =
  /\b(retry now|release|return|drop|delete|remove|disable|enable|enforce|create|add|edit|change|set|validate)\b/i
/** They change what the browser shows. */
const harmless = /^Remove all filters$|^Remove token|filter/i

describe('roles', { skip }, () => {
  let console: PeopleConsole
  let ids: Samples

  before(async () => {
    console = await startPeopleConsole({ groups, mapping, args: [] })
    ids = await demoIds(console)
  })
  after(() => console?.close())

  describe('the API', () => {
    const pathOf = (path: string) =>
      path.replace('{domain}', 'ours.example').replaceAll(/\{\w+\}/g, '01ARZ3NDEKTSV4RRFFQ69G5FAV')
    const send = async (token: string, method: string, path: string) => {
      const response = await fetch(`${console.runner.endpoints.signInApi}${pathOf(path)}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      })
      return { status: response.status, text: await response.text() }
    }

    for (const role of Role.options)
      test(`refuses ${role} exactly what needs another role`, async () => {
        const token = await console.provider.signIn(role)
        let refused = 0
        for (const { method, path, operation } of operations) {
          if (allowsRole([role], operation['x-role'])) continue
          const { status, text } = await send(token, method, path)
          assert.equal(status, 403, `${method} ${path}: ${status} ${text}`)
          assert.ok(text.includes(`needs the role ${operation['x-role']}`), `${method} ${path}: ${text}`)
          refused += 1
        }
        assert.equal(refused > 0, role !== 'administer')
        const { status, text } = await send(token, 'GET', '/caller')
        assert.deepEqual([status, JSON.parse(text)], [200, { name: role, roles: [role] }])
      })

    test('refuses everything without a token, and to a person without a role', async () => {
      const token = await console.provider.signIn('without role')
      for (const { method, path } of operations) {
        assert.equal((await send(token, method, path)).status, 403, `${method} ${path}`)
        assert.equal((await send('', method, path)).status, 401, `${method} ${path}`)
      }
    })
  })

  /** The names of the buttons of a view that has loaded. */
  async function buttonsOf(page: Page): Promise<string[]> {
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
    await page
      .getByText(/^Reading/)
      .first()
      .waitFor({ state: 'hidden' })
    const names: string[] = await page.evaluate(`
      [...document.querySelectorAll('main button, main a[class*=awsui_button]')].map(
        (button) => button.getAttribute('aria-label') ?? button.textContent.trim(),
      )`)
    return names.filter((name) => name !== '')
  }

  for (const path of viewPaths)
    for (const role of Role.options)
      test(`${path} offers ${role} the acts of this role only`, async (context) => {
        const opened = await console.openAs(role, addressOf(path, ids))
        context.after(() => opened.page.context().close())
        const names = await buttonsOf(opened.page)
        for (const [name, needed] of acts[path] ?? [])
          assert.equal(
            names.some((each) => name.test(each)),
            allowsRole([role], needed),
            `${name} for ${role}: ${names.join(' | ')}`,
          )
        const others = names.filter(
          (each) =>
            actWords.test(each) && !harmless.test(each) && !acts[path]?.some(([name]) => name.test(each)),
        )
        assert.deepEqual(others, [], 'add new acts to this test, with the role that they need')
        opened.assertNoFaults()
      })
})
