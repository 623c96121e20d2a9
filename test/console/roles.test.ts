/** What people with one role each see and may do: one identity provider, one client. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { allowsRole } from '../../shared/contract/allows-role.ts'
import { Role } from '../../shared/contract/roles.ts'
import { operations } from '../docs/api.ts'
import { type ConsolePage, expandAll, skip, visit, whenRead } from '../support/console.ts'
import { type PeopleConsole, startPeopleConsole } from '../support/console-people.ts'
import { addressOf, demoIds, type Samples, viewPaths } from '../support/console-views.ts'
import { sendMessage, waitForResult } from '../support/local/runner.ts'
import { presentUnknownCertificate } from '../support/unknown-certificates.ts'

/** A group of the same name for each role; the user `without role` has none. */
const groups = Object.fromEntries(Role.options.map((role) => [role, [role]]))
const mapping = Object.fromEntries(Role.options.map((role) => [role, role]))

/** What leads to a change, in each view that has any, and the role that it needs. */
const acts: Readonly<Record<string, readonly [name: RegExp, needed: Role][]>> = {
  '/messages/:id': [
    [/^Retry now$/, 'operate'],
    [/^Return now$/, 'operate'],
  ],
  // Saves filters in the browser.
  '/messages': [[/^Save$/, 'read']],
  '/messages/:held': [
    [/^Retry now$/, 'operate'],
    [/^Release$/, 'operate'],
    [/^Return now$/, 'operate'],
  ],
  '/partners': [[/^Add a partner$/, 'administer']],
  // The wizard itself.
  '/partners/add': [[/^Next$/, 'administer']],
  '/partners/:name/edit/:direction/:id': [[/^Next$/, 'administer']],
  '/partners/:name': [
    [/^Edit: (From|To) the bank$/, 'administer'],
    [/^Validate$/, 'operate'],
    [/^Set to ReportOnly: /, 'administer'],
    [/^Disable: /, 'administer'],
    [/^Hold: /, 'administer'],
    [/^Enforce: /, 'administer'],
    [/^Edit: /, 'administer'],
    [/^Remove: /, 'administer'],
  ],
  '/queues': [
    [/^Select /, 'operate'],
    [/^Retry now$/, 'operate'],
    [/^Release$/, 'operate'],
    [/^Return to sender$/, 'operate'],
    [/^Drop$/, 'administer'],
  ],
  '/unknown-certificates/:id': [
    [/^Not theirs: dismiss: next step$/, 'operate'],
    [/^Hold the mail: next step$/, 'administer'],
    [/^Add the (name|fingerprint): next step$/, 'administer'],
  ],
  '/domains': [[/^Add a domain$/, 'administer']],
  '/domains/:domain': [
    [/^Edit$/, 'administer'],
    [/^Remove$/, 'administer'],
    [/^Add addresses$/, 'administer'],
    [/^Remove addresses$/, 'administer'],
    [/^Select /, 'administer'],
  ],
}

/** Acts that lead to another view, are done at once, need a selection of rows, or are one. */
const withoutDialog = /Next|Save|Add a partner|Edit: |Validate|Select|Remove addresses/

/** Words of changes. Only a name in `acts` may have one. */
const actWords =
  /\b(retry now|release|return|drop|delete|remove|disable|enable|enforce|create|add|edit|change|set|validate|dismiss|hold|accept|save|next|select|import)\b/i
/** They change what the browser shows. */
const harmless = /^(Next|Previous) page$|^Remove all filters$|^Remove token|filter/i

const nameOf = `(control) => {
  const labels = (control.getAttribute('aria-labelledby') ?? '').split(' ').filter((id) => id !== '')
  return control.getAttribute('aria-label') ??
    (labels.map((id) => document.getElementById(id)?.textContent ?? '').join(' ') || control.textContent.trim())
}`

/** The names of all buttons, of links that look like one, of items of menus, and of boxes that select rows. */
const controlNames = `
  [...document.querySelectorAll(
    'main button, main a[class*=awsui_button], main input[type=checkbox], main [role=menuitem]',
  )].map(${nameOf}).filter((name) => name !== '')`
const dialogNames = `[...document.querySelectorAll('[role=dialog] button')].map(${nameOf})`

/** Fails unless a view offers what the role may do, and nothing else that looks like an act. */
function assertActs(role: Role, path: string, names: readonly string[]): void {
  for (const [name, needed] of acts[path] ?? [])
    assert.equal(
      names.some((each) => name.test(each)),
      allowsRole([role], needed),
      `${name} for ${role}: ${names.join(' | ')}`,
    )
  const others = names.filter(
    (each) => actWords.test(each) && !harmless.test(each) && !acts[path]?.some(([name]) => name.test(each)),
  )
  assert.deepEqual(others, [], 'add new acts to this test, with the role that they need')
}

/** Fails if a name is one of an act that needs another role. */
function assertMay(role: Role, name: string): void {
  const needs = Object.values(acts).flatMap((each) =>
    each.filter(([pattern]) => pattern.test(name)).map(([, needed]) => needed),
  )
  assert.ok(needs.length === 0 || needs.some((needed) => allowsRole([role], needed)), `${name} for ${role}`)
}

interface Named {
  id: string
  name: string
}

/** Sends a message that a connector holds. @returns its id */
async function holdMessage({ api, runner }: PeopleConsole): Promise<string> {
  const { status } = await api('POST', '/inbound-connectors', {
    name: 'From the museum',
    connectorType: 'Partner',
    senderDomains: ['held.example'],
    requireTls: true,
    onViolation: 'Defer',
  })
  assert.equal(status, 201)
  const content = 'From: <a@held.example>\r\nSubject: Offer\r\n\r\nIt is valid until Friday.\r\n'
  // The ingress may still have the connectors of a moment ago.
  return waitForResult(async () => {
    await sendMessage(runner.endpoints, 'a@held.example', 'ann@ours.example', content).catch(() => null)
    const { body } = await api('GET', '/messages?sender=a@held.example&state=Deferred')
    return (body as { items: Named[] }).items[0]?.id ?? null
  })
}

describe('roles', { skip }, () => {
  let console: PeopleConsole
  let ids: Samples
  /** The id of a message that an inbound connector holds. */
  let held: string
  /** The id of a connector. */
  let outbound: string

  before(async () => {
    console = await startPeopleConsole({ groups, mapping, args: [] })
    await presentUnknownCertificate(console)
    ids = await demoIds(console)
    held = await holdMessage(console)
    const { items } = (await console.api('GET', '/outbound-connectors')).body as { items: Named[] }
    outbound = items.find(({ name }) => name === 'To the bank')?.id ?? ''
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

  describe('the console', { concurrency: 3 }, () => {
    const pages = new Map<Role, ConsolePage>()

    before(async () => {
      for (const role of Role.options) {
        const opened = await console.openAs(role, '/none', { waitUntil: 'commit' })
        await opened.page.getByText('There is no such page').waitFor()
        pages.set(role, opened)
      }
    })

    const addresses = () =>
      [
        ...viewPaths.map((path) => [path, addressOf(path, ids)]),
        ['/messages/:held', `/messages/${held}`],
        ['/partners/:name/edit/:direction/:id', `/partners/bank.example/edit/outbound/${outbound}`],
        ['/partners/add', '/partners/add?domain=new.example&direction=outbound'],
      ] as [path: string, address: string][]

    for (const role of Role.options)
      test(`offers ${role} the acts of this role only`, async (context) => {
        const { page, assertNoFaults } = pages.get(role) as ConsolePage
        for (const [path, address] of addresses())
          await context.test(`${path} at ${address}`, async () => {
            await visit(page, address)
            await whenRead(page)
            await expandAll(page)
            await whenRead(page)
            assertActs(role, path, await page.evaluate<string[]>(controlNames))
            assertNoFaults()
          })
        for (const [path, address] of addresses())
          for (const [name, needed] of acts[path] ?? []) {
            if (!allowsRole([role], needed) || withoutDialog.test(name.source)) continue
            await context.test(`the dialog of ${name} of ${path}`, async () => {
              await visit(page, address)
              await whenRead(page)
              const all = page.getByRole('checkbox', { name: 'Select all groups' })
              if (await all.isVisible()) await all.check()
              await page.locator('main').getByRole('button', { name }).first().click()
              await page.getByRole('dialog').getByRole('button').last().waitFor()
              const names = await page.evaluate<string[]>(dialogNames)
              assert.ok(names.includes('Cancel'), names.join(' | '))
              for (const each of names) assertMay(role, each)
              await page.keyboard.press('Escape')
            })
          }
      })
  })
})
