/** Tests validation and retry end to end after a connector is corrected. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { Api, messageIdIn, type RunnerProcess, sendMessage, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

let mailbox: Partner
const shared = shareRunner()
let runner: RunnerProcess
let api: Api

before(
  async () => {
    mailbox = await startPartner()
    runner = await shared.enter()
    api = new Api(runner.endpoints)
  },
  { timeout: 120_000 },
)

after(async () => {
  await mailbox?.stop()
  await shared.leave()
})

/** Sends a message from the bank in the clear. @returns the message's id when it is deferred */
async function deferred(): Promise<string> {
  const content = 'From: <teller@bank.example>\r\nSubject: held\r\n\r\nDear Ann\r\n'
  const reply = await sendMessage(runner.endpoints, 'teller@bank.example', 'ann@ours.example', content)
  const { id, recipients } = await api.settled(messageIdIn(reply))
  assert.equal(recipients[0]?.state, 'Deferred')
  return id
}

interface Validation {
  messages: number
  passing: number
  failing: { reason: string; messages: string[] }[]
}

test('held mail is counted as failing by a validation, and delivered after its two connectors are corrected and it is released', async () => {
  const bank = await api.create('inbound', {
    name: 'from the bank',
    connectorType: 'Partner',
    senderDomains: ['bank.example'],
    onViolation: 'Defer',
  })
  const mailboxes = await setUpMailboxServer(api, mailbox, { tlsSettings: 'EncryptionOnly' })
  const id = await deferred()

  const path = `/inbound-connectors/${bank}`
  const before = await api.call<Validation>('POST', `${path}/validate`)
  assert.deepEqual([before.messages, before.passing, before.failing[0]?.messages], [1, 0, [id]])

  await api.change(path, { requireTls: false })
  const fixed = await api.call<Validation>('POST', `${path}/validate`)
  assert.deepEqual([fixed.messages, fixed.passing], [1, 1])

  // The inbound connector no longer holds the message; now the organisation's mailbox server has no TLS.
  assert.deepEqual(await api.call('POST', `${path}/retry`), { requested: 1, messages: 1, nextCursor: null })
  const [first] = await waitForResult(async () => {
    const [recipient] = (await api.settled(id, ['Deferred'])).recipients
    return recipient?.attempts.length === 1 ? recipient.attempts : null
  })
  assert.match(first?.reply ?? '', /^451 4\.7\.321 /)

  await api.change(`/outbound-connectors/${mailboxes}`, { tlsSettings: null }, '?waiting=release')
  const { recipients } = await api.settled(id, ['Delivered'])
  assert.deepEqual([recipients[0]?.attempts.length, mailbox.received.length], [2, 1])
  await assert.rejects(api.call('POST', `/messages/${id}/retry`), /409 .*ann@ours\.example.*is Delivered/)
})
