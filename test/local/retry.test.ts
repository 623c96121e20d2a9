/** Tests validation, retry and redrive end to end after a connector is corrected. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { DeadLetter } from '../../functions/connector-api/dead-letter.ts'
import { mailflow } from '../support/cli/mailflow.ts'
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

test('held mail is counted as failing by a validation, tried after its connector is corrected, and returned when the next connector is loosened', async () => {
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

  await api.change(`/outbound-connectors/${mailboxes}`, { tlsSettings: null }, '?waiting=return')
  const { recipients } = await api.settled(id, ['Bounced'])
  assert.deepEqual([recipients[0]?.attempts.length, mailbox.received.length], [1, 0])
  await assert.rejects(api.call('POST', `/messages/${id}/retry`), /409 .*ann@ours\.example.*is Bounced/)
})

test('an unreadable job becomes a dead letter, and the mail of a readable one is delivered after a redrive', async () => {
  const insurer = await api.create('inbound', {
    name: 'from the insurer',
    connectorType: 'Partner',
    senderDomains: ['insurer.example'],
    onViolation: 'Defer',
  })
  const content = 'From: <clerk@insurer.example>\r\nSubject: held\r\n\r\nDear Ann\r\n'
  const reply = await sendMessage(runner.endpoints, 'clerk@insurer.example', 'ann@ours.example', content)
  const { id } = await api.settled(messageIdIn(reply), ['Deferred'])
  const [timer] = await delayedJobs(id)
  await api.change(`/inbound-connectors/${insurer}`, { requireTls: false })

  // The job of a message as evaluate-policy would have left it after an outage, and a job that no version can read.
  await sendJob(
    'evaluationDeadLetters',
    JSON.stringify({ ...timer, notBefore: new Date().toISOString(), retry: true }),
  )
  await sendJob('evaluation', JSON.stringify({ message: { id } }))
  const redrive = (...args: string[]) =>
    mailflow(['redrive', '--json', ...args], { env: { MAILFLOW_API: runner.endpoints.api } })
  const letters = await waitForResult(async () => {
    const found: DeadLetter[] = JSON.parse((await redrive('--message', id)).out)
    return found.length === 2 ? found : null
  })
  assert.deepEqual(letters.map(({ readable }) => readable).sort(), [false, true])
  assert.match(
    letters.find(({ readable }) => !readable)?.reason ?? '',
    /^The record is not a job of this queue/,
  )

  const sent = await redrive('--message', id, '--send', '--yes')
  assert.deepEqual(JSON.parse(sent.out), {
    redriven: 1,
    notDeleted: 0,
    failed: 0,
    skipped: 1,
    truncated: false,
  })
  const { recipients } = await api.settled(id, ['Delivered'])
  assert.equal(recipients[0]?.attempts.length, 1)
})

const sqs = () =>
  new SQSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    endpoint: runner.endpoints.sqs,
  })

const sendJob = (queue: string, body: string) =>
  sqs().send(new SendMessageCommand({ QueueUrl: runner.endpoints.queues[queue], MessageBody: body }))

/** Reads the jobs of a message that wait for their time from the queue emulator. */
async function delayedJobs(id: string): Promise<[object]> {
  const name = runner.endpoints.queues.evaluation?.split('/').at(-1)
  return waitForResult(async () => {
    const response = await fetch(`${runner.endpoints.sqs}/_fauxqs/queues/${name}`)
    const { messages } = (await response.json()) as { messages: { delayed: { body: string }[] } }
    const [job] = messages.delayed
      .map(({ body }) => JSON.parse(body))
      .filter(({ message }) => message?.id === id)
    return job === undefined ? null : [job]
  })
}
