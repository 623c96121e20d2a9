/** Held mail: an inbound connector holds a message, a person releases it with a reason, and it reaches the mailbox. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { MessageEvents, QueueList, TraceEntry } from '../../functions/console/app/api/types.ts'
import { type MailServer, startMailServer } from '../../infra/local/demo/mail-server.ts'
import { type ConsoleTest, skip, startConsole } from '../support/console.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { Api, messageIdIn, sendMessage, waitForResult } from '../support/local/runner.ts'

const subject = 'Subject: Offer of the year'
const reason = 'Contoso repairs its TLS this week'

describe('the release of held mail', { skip }, () => {
  let mailbox: MailServer
  let console: ConsoleTest
  let api: Api
  let id: string

  before(async () => {
    mailbox = await startMailServer('mailbox.ours.example', null)
    console = await startConsole(['--no-demo'])
    api = new Api(console.runner.endpoints)
    await setUpMailboxServer(api, { port: mailbox.port })
    await api.create('inbound', {
      name: 'From Contoso',
      connectorType: 'Partner',
      senderDomains: ['contoso.example'],
      requireTls: true,
      onViolation: 'Defer',
    })
    const content = `From: <a@contoso.example>\r\n${subject}\r\n\r\nIt is valid until Friday.\r\n`
    const { endpoints } = console.runner
    // The ingress may still have the connectors of a moment ago.
    id = messageIdIn(
      await waitForResult(() =>
        sendMessage(endpoints, 'a@contoso.example', 'ann@ours.example', content).catch(() => null),
      ),
    )
    await api.settled(id, ['Deferred'])
  })
  after(async () => {
    await console?.close()
    await mailbox?.close()
  })

  test('finds the mail that waits, on the overview and in the list', async () => {
    assert.equal(mailbox.received.length, 0)
    await waitForResult(async () => {
      const { items } = await api.call<QueueList>('GET', '/queues?partner=contoso.example')
      return items[0]?.reason === 'InboundTlsRequired' ? true : null
    })
    const { page, assertNoFaults } = await console.open('/')
    await page.getByRole('link', { name: '1 recipient' }).click()
    await page.waitForURL(/\/queues\?kind=Held$/)
    await page.getByRole('heading', { name: 'Groups (1)' }).waitFor()
    await page.getByText('Came in the clear, and an inbound connector requires TLS.').waitFor()
    assertNoFaults()
  })

  test('releases it with a reason, after which the mailbox server has it', async () => {
    const { page, assertNoFaults } = await console.open('/queues?kind=Held')
    await page.getByRole('checkbox', { name: 'Select contoso.example, InboundTlsRequired' }).check()
    await page.getByRole('button', { name: 'Release' }).click()
    const modal = page.getByLabel('Release', { exact: true })
    await modal.getByText('The mail of 1 recipient is delivered despite the violation').waitFor()
    await modal.getByRole('textbox').fill(reason)
    await modal.getByRole('button', { name: 'Release' }).click()
    await page.getByText('Requested the release of the mail of 1 recipient in 1 message.').waitFor()
    await api.settled(id, ['Delivered'])
    const [received, ...others] = mailbox.received
    assert.deepEqual([received?.from, received?.to, others], ['a@contoso.example', ['ann@ours.example'], []])
    assert.ok(received?.content.includes(subject))
    await page.getByText('No mail that matches the filters waits.').waitFor()
    assertNoFaults()
  })

  test('shows in the timeline who released it, when and why', async () => {
    const { recipients } = await api.call<TraceEntry>('GET', `/messages/${id}`)
    const released = recipients[0]?.released
    assert.deepEqual([released?.reason, released?.by.endsWith('user/local')], [reason, true])
    const requested = await waitForResult(async () => {
      const { events } = await api.call<MessageEvents>('GET', `/messages/${id}/events`)
      return events.find(({ kind }) => kind === 'Requested') ?? null
    })
    assert.deepEqual([requested.request, requested.comment], ['Release', reason])

    const { page, assertNoFaults, assertAccessible } = await console.open(`/messages/${id}`)
    const timeline = page.getByRole('list', { name: 'What happened' })
    await timeline.getByText('First held (InboundTlsRequired)').waitFor()
    await timeline.getByText(`Released by ${released?.by}`).waitFor()
    await timeline.getByText(reason, { exact: true }).waitFor()
    await timeline.getByText('Attempt 1: Delivered').waitFor()
    // A time has seconds. UTC is a title, and opens with the keyboard.
    const time = timeline.getByRole('button').first()
    assert.match((await time.textContent()) ?? '', /\d:\d\d:\d\d.*, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
    await time.focus()
    await page.keyboard.press('Enter')
    await page.getByText(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/).waitFor()
    assertNoFaults()
    await assertAccessible()
  })
})
