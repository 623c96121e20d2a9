/**
 * The weekly tasks of docs/console.md, each by a person who signs in and begins at the overview. The page says the
 * number of clicks; typing is none.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import type { MessageList } from '../../functions/console/app/api/types.ts'
import { sendMail } from '../../infra/local/send-mail.ts'
import { skip } from '../support/console.ts'
import { type PeopleConsole, startPeopleConsole } from '../support/console-people.ts'
import { waitForResult } from '../support/local/runner.ts'
import { presentedName, presentUnknownCertificate } from '../support/unknown-certificates.ts'

const maxClicks = 4

/** The rows of the table, by task. */
const clicksByTask = new Map(
  [
    ...readFileSync(join(import.meta.dirname, '../../docs/console.md'), 'utf8').matchAll(
      /^\| (.+?) \| .+ \| (\d+) \|$/gm,
    ),
  ].map(([, task = '', clicks]) => [task, Number(clicks)]),
)

class Visit {
  clicks = 0
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async click(target: Locator): Promise<void> {
    await target.click()
    this.clicks++
  }

  /** Clicks on an entry of the navigation. */
  goTo(title: string): Promise<void> {
    return this.click(this.page.getByRole('navigation').getByRole('link', { name: title, exact: true }))
  }

  link(name: string | RegExp): Promise<void> {
    return this.click(this.page.getByRole('link', { name }).first())
  }

  button(name: string | RegExp): Promise<void> {
    return this.click(this.page.getByRole('button', { name }).first())
  }

  /** Clicks on the button of the dialog that is open. */
  confirm(name: string): Promise<void> {
    return this.click(this.page.getByRole('dialog').getByRole('button', { name, exact: true }))
  }

  see(text: string | RegExp): Promise<void> {
    return this.page.getByText(text).first().waitFor({ timeout: 60_000 })
  }
}

describe('the weekly tasks', { skip }, () => {
  let console: PeopleConsole

  const read = async <T>(path: string): Promise<T> => (await console.api('GET', path)).body
  const connectors = async (direction: 'inbound' | 'outbound') =>
    (await read<{ items: { name: string; mode: string; enabled: boolean }[] }>(`/${direction}-connectors`))
      .items

  before(async () => {
    const groups = { ann: ['Mail Administrators'] }
    console = await startPeopleConsole({ groups, mapping: { 'Mail Administrators': 'administer' }, args: [] })
    await createMailThatIsHeld()
    await presentUnknownCertificate(console)
    await create({ name: 'From the trial', senderDomains: ['trial.example'], mode: 'ReportOnly' })
    await create({ name: 'From the past', senderDomains: ['past.example'] })
  })
  after(() => console?.close())

  async function create(fields: object): Promise<void> {
    const connector = { connectorType: 'Partner', requireTls: true, ...fields }
    const { status, body } = await console.api('POST', '/inbound-connectors', connector)
    assert.equal(status, 201, JSON.stringify(body))
  }

  async function createMailThatIsHeld(): Promise<void> {
    await create({ name: 'From the held', senderDomains: ['held.example'], onViolation: 'Defer' })
    const mail = { from: 'sam@held.example', to: 'ann@ours.example', subject: 'Held', text: 'Held.' }
    const { accepted } = await sendMail(mail, { server: console.runner.endpoints.smtp, tls: 'None' })
    assert.ok(accepted)
    await waitForResult(async () => {
      const { items } = await read<{ items: unknown[] }>('/queues?partner=held.example')
      return items.length > 0 ? items : null
    })
  }

  const tasks: Readonly<Record<string, (visit: Visit) => Promise<void>>> = {
    'Find a message': async (visit) => {
      await visit.goTo('Message trace')
      const filter = visit.page.getByRole('combobox', { name: /filter/i })
      await filter.fill('guard@vault.example')
      await filter.press('Enter')
      await visit.page.getByRole('row').filter({ hasText: 'clinic.example' }).waitFor({ state: 'detached' })
      await visit.click(
        visit.page.getByRole('row').filter({ hasText: 'guard@vault.example' }).getByRole('link'),
      )
      await visit.see('Certificate is not trusted')
    },
    'Why was a message refused?': async (visit) => {
      await visit.click(visit.page.getByRole('main').locator('a[href$="state=Rejected"]'))
      await visit.click(
        visit.page.getByRole('row').filter({ hasText: 'teller@bank.example' }).getByRole('link').first(),
      )
      await visit.see('530 5.7.0 Must issue a STARTTLS command first')
    },
    'Why does a message wait?': async (visit) => {
      await visit.click(visit.page.locator('a[href*="kind=Deferred"]'))
      await visit.click(
        visit.page.getByRole('row').filter({ hasText: 'clinic.example' }).getByRole('link').last(),
      )
      await visit.see('STARTTLS is required but not available')
    },
    'What did the sender get?': async (visit) => {
      await visit.goTo('Message trace')
      await visit.click(
        visit.page.getByRole('row').filter({ hasText: 'guard@vault.example' }).getByRole('link'),
      )
      await visit.link('Trace of the DSN')
      await visit.see('created by mailflow')
    },
    'Who still sends in the clear?': async (visit) => {
      await visit.click(visit.page.getByText('In the clear:').first().getByRole('link'))
      await visit.see('florist.example')
    },
    'Add a partner': async (visit) => {
      await visit.goTo('Partners')
      await visit.button('Add a partner')
      await visit.see('From and to')
    },
    'Change a connector': async (visit) => {
      await visit.goTo('Partners')
      await visit.link('bank.example')
      await visit.button(/^Edit/)
      await visit.see('Security restrictions')
    },
    'Enforce what was only reported': async (visit) => {
      await visit.goTo('Partners')
      await visit.link('trial.example')
      await visit.button('Enforce: From the trial')
      await visit.confirm('Enforce')
      await visit.see('From the trial: Enforce is saved')
      assert.equal(
        (await connectors('inbound')).find(({ name }) => name === 'From the trial')?.mode,
        'Enforce',
      )
    },
    'Remove a connector': async (visit) => {
      await visit.goTo('Partners')
      await visit.link('past.example')
      await visit.button('Remove: From the past')
      await visit.see('It no longer requires TLS of mail from past.example')
      await visit.confirm('Remove')
      await visit.see('From the past is removed')
      assert.ok(!(await connectors('inbound')).some(({ name }) => name === 'From the past'))
    },
    'Accept the new certificate of a partner': async (visit) => {
      await visit.goTo('Unknown certificates')
      await visit.click(
        visit.page.getByRole('row').filter({ hasText: presentedName }).getByRole('link').first(),
      )
      await visit.button('Add the name: next step')
      await visit.confirm('Add the name')
      const accepts = async () => {
        const items = (await connectors('inbound')) as { tlsSenderCertificateNames?: string[] }[]
        return items.some((each) => each.tlsSenderCertificateNames?.includes(presentedName)) || null
      }
      await waitForResult(accepts)
    },
    'Test the way to a partner': async (visit) => {
      await visit.goTo('Partners')
      await visit.link('bank.example')
      await visit.button('Validate')
      await visit.see('Every step succeeded')
    },
    'Retry what waits': async (visit) => {
      await visit.click(visit.page.locator('a[href*="kind=Deferred"]'))
      await visit.click(
        visit.page.getByRole('checkbox', { name: 'Select clinic.example, OutboundTlsNotMet' }),
      )
      await visit.button('Retry now')
      await visit.see(/1 recipient/)
    },
    'Release what is held': async (visit) => {
      await visit.click(visit.page.locator('a[href*="kind=Held"]'))
      await visit.click(visit.page.getByRole('checkbox', { name: /^Select held\.example/ }))
      await visit.button('Release')
      await visit.page.getByRole('dialog').getByRole('textbox').fill('Agreed by telephone')
      await visit.confirm('Release')
      await waitForResult(async () => {
        const { items } = await read<MessageList>('/messages?sender=sam@held.example')
        return items.every(({ recipients }) => recipients.every(({ state }) => state === 'Delivered')) || null
      })
    },
    'Search the mail of months': async (visit) => {
      await visit.goTo('Message trace')
      await visit.button('Search older mail')
      await visit.confirm('Search')
      await visit.page
        .getByRole('row')
        .filter({ hasText: '@bank.example' })
        .first()
        .waitFor({ timeout: 60_000 })
    },
    'Send the manager numbers': async (visit) => {
      await visit.goTo('Reports')
      await visit.link('Connector report')
      const [download] = await Promise.all([
        visit.page.waitForEvent('download'),
        visit.button('Download CSV'),
      ])
      assert.match(download.suggestedFilename(), /\.csv$/)
    },
    'Who changed a connector?': async (visit) => {
      await visit.goTo('Changes')
      await visit.see('To the bank')
    },
    'Which certificates expire?': async (visit) => {
      await visit.goTo('Certificates')
      await visit.see('mx.bank.example')
    },
    'Are our DNS records right?': async (visit) => {
      await visit.goTo('Domains')
      await visit.link('ours.example')
      await visit.see('TLS-RPT')
    },
    'Accept a further domain': async (visit) => {
      await visit.goTo('Domains')
      await visit.button('Add a domain')
      await visit.page.getByRole('dialog').getByRole('textbox').first().fill('further.example')
      await visit.click(visit.page.getByRole('dialog').getByRole('button', { name: /^Add/ }))
      await waitForResult(
        async () => (await console.api('GET', '/accepted-domains/further.example')).status === 200 || null,
      )
    },
    'Show the auditor how we conform': async (visit) => {
      await visit.goTo('Conformance')
      await visit.button('All domains')
      await visit.button(/^Compare/)
      const compared = visit.page.getByRole('table', { name: 'All domains' })
      await compared.getByRole('link', { name: 'ours.example' }).waitFor({ timeout: 60_000 })
    },
  }

  test('are those of the page', () => {
    assert.deepEqual([...clicksByTask.keys()], Object.keys(tasks))
    assert.equal(clicksByTask.size, 20)
  })

  for (const [task, perform] of Object.entries(tasks))
    test(task, async () => {
      const { page, assertNoFaults } = await console.openAs('ann')
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
      const visit = new Visit(page)
      await perform(visit)
      assert.equal(visit.clicks, clicksByTask.get(task), 'clicks')
      assert.ok(visit.clicks <= maxClicks)
      assertNoFaults()
      await page.context().close()
    })
})
