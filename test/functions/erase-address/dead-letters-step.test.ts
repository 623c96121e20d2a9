import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { deadLettersStep } from '../../../functions/erase-address/dead-letters-step.ts'
import type { Item } from '../../../functions/erase-address/messages-table.ts'
import { type Emulators, startEmulators } from '../../../infra/local/aws/emulators.ts'
import type { BounceJob } from '../../../shared/contract/jobs.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { dsnKey, erasedKey, recipientKey } from '../../../shared/messages/message-keys.ts'
import { bounceJob, deliveryJob, evaluationJob } from '../../support/dead-letters.ts'
import { message, recipient } from '../../support/fixtures.ts'

const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased-1a2b3c4d')
const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const names = ['evaluation', 'bounce', 'events'] as const
type Queue = (typeof names)[number]

let emulators: Emulators
let client: SQSClient
/** The trace of the message. */
let items: Item[]
before(async () => {
  emulators = await startEmulators(null)
  client = new SQSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    endpoint: emulators.endpoints.sqs,
  })
  for (const name of names) await client.send(new CreateQueueCommand({ QueueName: name }))
})
after(async () => {
  client.destroy()
  await emulators.close()
})
beforeEach(() => {
  emulators.queues.clearMessages()
  items = []
})

const urlOf = (name: Queue) => `${emulators.endpoints.sqs}/000000000000/${name}`
const put = (name: Queue, body: string | object, reason?: string) =>
  client.send(
    new SendMessageCommand({
      QueueUrl: urlOf(name),
      MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
      ...(reason !== undefined && {
        MessageAttributes: { reason: { DataType: 'String', StringValue: reason } },
      }),
    }),
  )

/** The emulator has one server, so an empty response needs no wait. */
const withoutWaits = {
  send(command: { input: { WaitTimeSeconds?: number } }) {
    if (command.input.WaitTimeSeconds !== undefined) command.input.WaitTimeSeconds = 0
    return client.send(command as never)
  },
} as unknown as Pick<SQSClient, 'send'>

/** The visible letters. */
const lettersOf = (name: Queue) => emulators.queues.inspectQueue(name)?.messages.ready ?? []
const inFlightOf = (name: Queue) => emulators.queues.inspectQueue(name)?.messages.inflight.length ?? 0

async function run() {
  const step = deadLettersStep(address, {
    sqs: withoutWaits,
    jobQueues: [urlOf('evaluation'), urlOf('bounce')],
    eventQueue: urlOf('events'),
    table: { partition: async (pk) => (pk === id ? items : []) },
  })
  const parts = await Array.fromAsync(step.run(null))
  for (const name of names) assert.equal(inFlightOf(name), 0)
  return {
    deadLetters: parts.reduce((sum, { erased }) => sum + (erased.deadLetters ?? 0), 0),
    unsettled: parts.flatMap(({ unsettled = [] }) => unsettled),
  }
}

const toAnn = () => ({
  ...evaluationJob(),
  message: message({ id }),
  recipients: [recipient({ address: 'ann@ours.example' })],
})
const settled = (recipientAddress: string): Item => ({
  ...recipientKey(id, recipientAddress),
  state: 'Delivered',
})

test('a job of settled recipients is deleted, also if its sender is the address', async () => {
  items = [settled('ann@ours.example'), settled('bob@partner.example')]
  await put('evaluation', toAnn())
  await put('evaluation', {
    ...deliveryJob(),
    message: message({ id, mailFrom: 'ann@ours.example' }),
    recipients: [recipient({ address: 'bob@partner.example' })],
  })
  assert.deepEqual(await run(), { deadLetters: 2, unsettled: [] })
  assert.deepEqual(lettersOf('evaluation'), [])
})

test('a job of a message that is erased already is deleted', async () => {
  items = [{ ...erasedKey(id), expiresAt: 1 }]
  await put('evaluation', toAnn())
  assert.deepEqual(await run(), { deadLetters: 1, unsettled: [] })
})

test('a job of mail that waits stays, is named, and is visible again', async () => {
  await put('evaluation', {
    ...toAnn(),
    recipients: [recipient({ address: 'ann@ours.example' }), recipient({ address: 'b@ours.example' })],
  })
  for (const state of [undefined, 'Deferred', 'Pending']) {
    items = [settled('b@ours.example'), { ...recipientKey(id, 'ann@ours.example'), state }]
    assert.deepEqual(await run(), { deadLetters: 0, unsettled: [id] })
    assert.equal(lettersOf('evaluation').length, 1)
  }
})

test('a job that cannot be read stays', async () => {
  await put('evaluation', '{"message":{"envelope":{"mailFrom":"ann@ours.example"}}}')
  await put('evaluation', 'for ann@ours.example')
  assert.deepEqual(await run(), { deadLetters: 0, unsettled: ['', ''] })
  assert.equal(lettersOf('evaluation').length, 2)
})

test('the job of a DSN is deleted only if the DSN was sent', async () => {
  const job: BounceJob = bounceJob()
  const reported = job.recipients.map((each) => ({
    ...each,
    recipient: recipient({ address: 'ann@ours.example' }),
  }))
  await put('bounce', { ...job, message: message({ id }), recipients: reported })
  const claim = dsnKey(id, 'ann@ours.example', job.kind)
  items = [settled('ann@ours.example'), claim]
  assert.deepEqual((await run()).unsettled, [id])
  items = [settled('ann@ours.example'), { ...claim, result: { dsn: null } }]
  assert.deepEqual(await run(), { deadLetters: 1, unsettled: [] })
})

test('letters of other addresses stay unchanged and visible, more than one request receives', async () => {
  for (let count = 0; count < 25; count++)
    await put('evaluation', {
      ...toAnn(),
      recipients: [recipient({ address: `joann+${count}@ours.example` })],
    })
  const before = lettersOf('evaluation')
    .map(({ body }) => body)
    .sort()
  assert.deepEqual(await run(), { deadLetters: 0, unsettled: [] })
  assert.deepEqual(
    lettersOf('evaluation')
      .map(({ body }) => body)
      .sort(),
    before,
  )
})

test('events are sent again with the pseudonym and their reason', async () => {
  await put(
    'events',
    '{"id":"1","sender":"ann@ours.example"}\n{"id":"2","sender":"b@ours.example"}\n',
    'Line 3 is no event.',
  )
  await put('events', 'no event of ann@ours.example')
  await put('events', '{"id":"3","sender":"b@ours.example"}\n')
  assert.deepEqual(await run(), { deadLetters: 2, unsettled: [] })
  const letters = lettersOf('events')
  assert.deepEqual(letters.map(({ body }) => body).sort(), [
    'no event of erased-1a2b3c4d@ours.example',
    '{"id":"1","sender":"erased-1a2b3c4d@ours.example"}\n{"id":"2","sender":"b@ours.example"}\n',
    '{"id":"3","sender":"b@ours.example"}\n',
  ])
  assert.equal(letters.filter(({ messageAttributes }) => 'reason' in messageAttributes).length, 1)
  assert.deepEqual(await run(), { deadLetters: 0, unsettled: [] })
})
