/** An administrator lists the dead letters and redrives them. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { type DeadLetter, QueueName } from '../../../functions/connector-api/dead-letter.ts'
import { listDeadLetters, redriveDeadLetters } from '../../../functions/connector-api/dead-letters.ts'
import { createTestApi } from '../../support/api-client.ts'
import { bounceJob, deliveryJob, evaluationJob, startDeadLetters } from '../../support/dead-letters.ts'
import { certificateNotice, message, recipient } from '../../support/fixtures.ts'

let setup: Awaited<ReturnType<typeof startDeadLetters>>
let api: ReturnType<typeof createTestApi>
const ann = 'arn:aws:iam::123456789012:user/ann'
const ulid = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const otherUlid = '01KF0CVZT0ABCDEFGHJKMNPQRT'

before(async () => {
  setup = await startDeadLetters()
  api = createTestApi({} as DynamoDBDocumentClient, Date.now, [], {}, null, setup.dependencies)
})
after(() => setup.stop())
beforeEach(() => {
  setup.clear()
  setup.intercept.before = null
  api.logged.length = 0
})

const list = async (query = ''): Promise<{ items: DeadLetter[]; truncated: boolean; to: string }> => {
  const { status, body } = await api.call(`GET /dead-letters${query}`)
  assert.equal(status, 200, JSON.stringify(body))
  return body
}
const redrive = async (json: object = {}) => {
  const { status, body } = await api.call('POST /dead-letters/redrive', {
    json,
    authorizer: { iam: { userArn: ann } },
  })
  assert.equal(status, 200, JSON.stringify(body))
  const { to, ...result } = body
  return result
}
const result = (fields: object) => ({
  redriven: 0,
  notDeleted: 0,
  failed: 0,
  skipped: 0,
  truncated: false,
  ...fields,
})

describe('GET /dead-letters', () => {
  const mail = {
    messageId: ulid,
    sender: 'a@elsewhere.example',
    recipients: ['b@ours.example'],
    recipientCount: 1,
    attempt: null,
  }
  const nothing = { messageId: null, sender: null, recipients: [], recipientCount: 0, attempt: null }
  const many = Array.from({ length: 7 }, (_, index) => recipient({ address: `r${index}@ours.example` }))
  const cases: [name: string, queue: QueueName, body: string | object, described: object][] = [
    ['a job to evaluate', 'Evaluation', evaluationJob(), { kind: 'EvaluationJob', ...mail }],
    ['a delivery job', 'LowPriorityDelivery', deliveryJob(), { kind: 'DeliveryJob', ...mail, attempt: 3 }],
    ['a bounce job', 'Bounce', bounceJob(), { kind: 'BounceJob', ...mail }],
    ['a notice', 'Evaluation', certificateNotice(), { kind: 'CertificateNotice', ...nothing }],
    [
      'the first five of seven recipients, and the null reverse path',
      'Evaluation',
      { ...evaluationJob(), message: message({ mailFrom: '' }), recipients: many },
      {
        kind: 'EvaluationJob',
        ...mail,
        sender: '',
        recipients: many.slice(0, 5).map(({ address }) => address),
        recipientCount: 7,
      },
    ],
    [
      'a body that is not JSON',
      'Delivery',
      'From: <a@b.example>\r\n\r\nsecret',
      {
        kind: null,
        ...nothing,
        readable: false,
        reason: 'The record is not a job of this queue: body (invalid_type)',
      },
    ],
    [
      'a job without envelope, by the id of its message',
      'Evaluation',
      { ...evaluationJob(), message: { id: ulid, secret: 'secret' } },
      { ...mail, kind: null, sender: null, readable: false, reason: /^The record is not a job .*receivedAt/ },
    ],
    [
      'a job that requires an unknown feature',
      'Evaluation',
      { ...evaluationJob(), requires: ['tomorrow'] },
      { kind: null, ...mail, readable: false, reason: 'The job requires unknown features: tomorrow' },
    ],
    [
      'a job of another queue',
      'Bounce',
      evaluationJob(),
      { kind: null, ...mail, readable: false, reason: /^The record is not a job .*kind/ },
    ],
    [
      'fields of wrong types',
      'Delivery',
      { message: { id: 7, envelope: { mailFrom: 'x'.repeat(321) } }, recipients: 'all', attempt: 'one' },
      { kind: null, ...nothing, readable: false, reason: /^The record is not a job/ },
    ],
  ]
  for (const [name, queue, body, described] of cases)
    test(`describes ${name}`, async () => {
      const id = await setup.put(queue, body)
      const { items, truncated } = await list()
      const [{ at, reason, ...letter }] = items as [DeadLetter]
      const { reason: expectedReason = 'Received 1 time without success', ...expected } = described as {
        reason?: string | RegExp
      }
      assert.deepEqual(letter, { queue, id, receives: 1, readable: true, ...expected })
      if (typeof expectedReason === 'string') assert.equal(reason, expectedReason)
      else assert.match(reason, expectedReason)
      assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000)
      assert.equal(truncated, false)
      assert.doesNotMatch(JSON.stringify(items), /secret/)
    })

  test('returns the reason of the function that moved the job, and no content', async () => {
    await setup.put('Evaluation', 'secret', { reason: 'The record is not a job of this queue: body (x)' })
    const { items } = await list()
    assert.equal(items[0]?.reason, 'The record is not a job of this queue: body (x)')
    assert.doesNotMatch(JSON.stringify(items), /secret/)
  })

  test('shortens the reason of a job with a fault in each of many recipients', async () => {
    await setup.put('Evaluation', { ...evaluationJob(), recipients: Array(2000).fill({}) })
    const { items } = await list()
    assert.match(items[0]?.reason ?? '', /^The record is not a job of this queue: recipients\[0\]/)
    assert.equal(items[0]?.reason.length, 1000)
  })

  test('releases the letters, so that a second request returns them too', async () => {
    for (const queue of QueueName.options) await setup.put(queue, 'x')
    const first = await list()
    assert.deepEqual(first.items.map(({ queue }) => queue).sort(), [...QueueName.options].sort())
    const second = await list()
    assert.deepEqual(second.items.map(({ id }) => id).sort(), first.items.map(({ id }) => id).sort())
    assert.deepEqual([...new Set(second.items.map(({ receives }) => receives))], [2])
  })

  test('releases letters also when another queue cannot be read', async () => {
    await setup.put('Evaluation', 'x')
    setup.intercept.before = (name, { QueueUrl }) => {
      if (name === 'ReceiveMessageCommand' && QueueUrl.endsWith('BounceDead')) throw new Error('denied')
      return undefined
    }
    assert.equal((await api.call('GET /dead-letters')).status, 500)
    assert.deepEqual(setup.deadLettersOf('Evaluation'), {
      ids: [(await list('?queue=Evaluation')).items[0]?.id],
      hidden: 0,
    })
  })

  test('filters by queue, part of the reason, message and time', async () => {
    const ids = [
      await setup.put('Evaluation', evaluationJob(), { reason: 'Received Twice' }),
      await setup.put('Delivery', deliveryJob()),
      await setup.put('Evaluation', { ...evaluationJob(), message: message({ id: otherUlid }) }),
    ]
    const found = async (query: string) => (await list(query)).items.map(({ id }) => ids.indexOf(id)).sort()
    assert.deepEqual(await found('?queue=Evaluation'), [0, 2])
    assert.deepEqual(await found('?reason=received%20twice'), [0])
    assert.deepEqual(await found(`?messageId=${ulid}`), [0, 1])
    assert.deepEqual(await found(`?messageId=${ulid}&queue=Delivery`), [1])
    assert.deepEqual(await found('?to=2026-01-01T00:00:00Z'), [])
    assert.deepEqual(await found('?to=2100-01-01T00:00:00Z'), [0, 1, 2])
  })

  for (const query of [
    'queue=Other',
    'queue=evaluation',
    'messageId=1',
    'to=yesterday',
    'limit=0',
    'limit=1001',
    'x=1',
  ])
    test(`refuses ?${query}`, async () => {
      const { status, body } = await api.call(`GET /dead-letters?${query}`)
      assert.deepEqual([status, body.errors[0].path], [400, query.split('=')[0]])
    })

  test('of 1,000 letters it returns at most the limit, and says that there may be more', async () => {
    await Promise.all(Array.from({ length: 1000 }, () => setup.put('Evaluation', evaluationJob())))
    const some = await list('?limit=3')
    assert.deepEqual([some.items.length, some.truncated], [3, true])
    const all = await list('?limit=1000')
    assert.equal(new Set(all.items.map(({ id }) => id)).size, 1000)
    assert.deepEqual(setup.deadLettersOf('Evaluation').hidden, 0)
  })

  test('returns what it has found when the time is over, and says that there may be more', async () => {
    for (let index = 0; index < 30; index++) await setup.put('Evaluation', evaluationJob())
    let now = 0
    const dependencies = { ...setup.dependencies, logger: noLog, now: () => (now += 2_000) }
    const { letters, isTruncated } = await listDeadLetters(everything, 1000, dependencies)
    assert.deepEqual([letters.length, isTruncated], [20, true])
    assert.deepEqual(setup.deadLettersOf('Evaluation').hidden, 0)
  })
})

const everything = { queue: 'Evaluation', until: new Date('2100-01-01') } as const
const noLog = { info: () => {}, error: () => {} } as unknown as Parameters<
  typeof listDeadLetters
>[2]['logger']

describe('POST /dead-letters/redrive', () => {
  test('moves each letter to its own queue, unchanged and with its message group', async () => {
    const bodies = { Evaluation: evaluationJob(), UnprovenDelivery: deliveryJob(), Bounce: bounceJob() }
    for (const [queue, body] of Object.entries(bodies))
      await setup.put(
        queue as QueueName,
        { ...body, added: 'later' },
        { group: 'ours.example', reason: 'old' },
      )
    const groups: (string | undefined)[] = []
    setup.intercept.before = (name, { Entries = [] }) => {
      if (name === 'SendMessageBatchCommand') groups.push(...Entries.map((entry) => entry.MessageGroupId))
      return undefined
    }
    assert.deepEqual(await redrive(), result({ redriven: 3 }))
    for (const [queue, body] of Object.entries(bodies)) {
      const sent = setup.jobsOf(queue as QueueName).map((text) => JSON.parse(text))
      assert.deepEqual(sent, [{ ...body, added: 'later' }])
      assert.deepEqual(setup.deadLettersOf(queue as QueueName), { ids: [], hidden: 0 })
    }
    assert.deepEqual(groups, Array(3).fill('ours.example'))
  })

  test('moves only the letters that match, and releases the others', async () => {
    await setup.put('Evaluation', evaluationJob())
    const kept = await setup.put('Evaluation', { ...evaluationJob(), message: message({ id: otherUlid }) })
    const elsewhere = await setup.put('Bounce', bounceJob())
    assert.deepEqual(await redrive({ messageId: ulid, queue: 'Evaluation' }), result({ redriven: 1 }))
    assert.deepEqual(setup.deadLettersOf('Evaluation'), { ids: [kept], hidden: 0 })
    assert.deepEqual(setup.deadLettersOf('Bounce'), { ids: [elsewhere], hidden: 0 })
  })

  const unreadable: [name: string, body: string | object][] = [
    ['is not JSON', 'no job'],
    ['requires an unknown feature', { ...evaluationJob(), requires: ['tomorrow'] }],
    ['is a job of another queue', deliveryJob()],
  ]
  for (const [name, body] of unreadable)
    test(`skips a letter that ${name}, unless it is forced`, async () => {
      const id = await setup.put('Bounce', body)
      assert.deepEqual(await redrive(), result({ skipped: 1 }))
      assert.deepEqual(setup.deadLettersOf('Bounce'), { ids: [id], hidden: 0 })
      assert.deepEqual(await redrive({ force: true }), result({ redriven: 1 }))
      assert.equal(setup.jobsOf('Bounce').length, 1)
      assert.deepEqual(setup.deadLettersOf('Bounce'), { ids: [], hidden: 0 })
    })

  test('moves 1,000 letters in one request', async () => {
    await Promise.all(Array.from({ length: 1000 }, () => setup.put('Delivery', deliveryJob())))
    assert.deepEqual(await redrive(), result({ redriven: 1000, truncated: true }))
    assert.equal(setup.jobsOf('Delivery').length, 1000)
    assert.deepEqual(await redrive(), result({}))
  })

  test('moves at most the limit over all queues, and says that there may be more', async () => {
    for (const queue of ['Delivery', 'UnprovenDelivery', 'LowPriorityDelivery'] as const)
      for (let index = 0; index < 3; index++) await setup.put(queue, deliveryJob())
    assert.deepEqual(await redrive({ limit: 4 }), result({ redriven: 4, truncated: true }))
    const left = QueueName.options.map((queue) => setup.deadLettersOf(queue))
    assert.equal(left.flatMap(({ ids }) => ids).length, 5)
    assert.ok(left.every(({ hidden }) => hidden === 0))
  })

  test('does not touch a letter that another request holds, nor a letter sent after `to`', async () => {
    await setup.put('Evaluation', evaluationJob())
    const held = await setup.dependencies.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: setup.dependencies.urls.Evaluation.deadLetters }),
    )
    assert.equal(held.Messages?.length, 1)
    assert.deepEqual(await redrive(), result({}))
    assert.equal(setup.deadLettersOf('Evaluation').hidden, 1)
    await setup.put('Evaluation', evaluationJob())
    assert.deepEqual(await redrive({ to: '2026-01-01T00:00:00Z' }), result({}))
  })

  for (const to of [undefined, '2100-01-01T00:00:00Z'])
    test(`redrives a job once that fails again at once, with to=${to}`, async () => {
      await setup.put('Evaluation', 'no job')
      let failures = 0
      setup.intercept.before = (name) => {
        if (name !== 'SendMessageBatchCommand' || failures++ === 5) return undefined
        // The function that reads the queue moves the job to the dead letters.
        return delay(5)
          .then(() => setup.put('Evaluation', 'no job'))
          .then(() => undefined)
      }
      const before = Date.now()
      const { status, body } = await api.call('POST /dead-letters/redrive', { json: { force: true, to } })
      assert.deepEqual([status, body.redriven, failures], [200, 1, 1])
      assert.ok(Math.abs(Date.parse(body.to) - before) < 60_000)
      assert.equal(setup.deadLettersOf('Evaluation').ids.length, 1)
    })

  test('keeps a letter that its queue does not accept', async () => {
    for (let index = 0; index < 3; index++) await setup.put('Evaluation', evaluationJob())
    setup.intercept.before = (name, input) => {
      if (name !== 'SendMessageBatchCommand') return undefined
      // The first is accepted, the second refused, the third missing from the response.
      assert.equal(input.Entries?.length, 3)
      return {
        Successful: [{ Id: '0' }],
        Failed: [{ Id: '1', Code: 'InternalError', Message: 'try again', SenderFault: false }],
      }
    }
    assert.deepEqual(await redrive(), result({ redriven: 1, failed: 2 }))
    const { ids, hidden } = setup.deadLettersOf('Evaluation')
    assert.deepEqual([ids.length, hidden], [2, 0])
    assert.match(String(errors()[0]), /Evaluation: InternalError try again/)
  })

  test('keeps all letters when the request to their queue fails', async () => {
    for (let index = 0; index < 12; index++) await setup.put('Bounce', bounceJob())
    setup.intercept.before = (name) => {
      if (name === 'SendMessageBatchCommand') throw new Error('away')
      return undefined
    }
    assert.deepEqual(await redrive(), result({ failed: 12 }))
    const { ids, hidden } = setup.deadLettersOf('Bounce')
    assert.deepEqual([ids.length, hidden, setup.jobsOf('Bounce')], [12, 0, []])
    assert.match(String(errors()[0]), /away/)
  })

  test('counts a letter that was sent and could not be deleted, and hides it for a while', async () => {
    await setup.put('Evaluation', evaluationJob())
    setup.intercept.before = (name) => {
      if (name === 'DeleteMessageBatchCommand') throw new Error('away')
      return undefined
    }
    assert.deepEqual(await redrive(), result({ redriven: 1, notDeleted: 1 }))
    assert.equal(setup.jobsOf('Evaluation').length, 1)
    assert.deepEqual(setup.deadLettersOf('Evaluation'), { ids: [], hidden: 1 })
  })

  test('splits letters that together exceed the size of a batch', async () => {
    const large = { ...evaluationJob(), padding: 'x'.repeat(400_000) }
    for (let index = 0; index < 4; index++) await setup.put('Evaluation', large)
    assert.deepEqual(await redrive(), result({ redriven: 4 }))
    assert.equal(setup.jobsOf('Evaluation').length, 4)
  })

  test('logs each redriven letter with the administrator', async () => {
    const id = await setup.put('Evaluation', evaluationJob())
    await redrive()
    const [entry] = api.logged.filter(({ message: text }) => text === 'dead letter redriven')
    assert.deepEqual(
      [entry?.caller, entry?.queue, entry?.id, entry?.messageId],
      [ann, 'Evaluation', id, ulid],
    )
  })

  test('stops when the time is over', async () => {
    for (let index = 0; index < 30; index++) await setup.put('Evaluation', evaluationJob())
    let now = 0
    const { redriven, isTruncated } = await redriveDeadLetters(
      everything,
      { limit: 1000, force: false, caller: null },
      { ...setup.dependencies, logger: noLog, now: () => (now += 2_000) },
    )
    assert.deepEqual([redriven, isTruncated], [20, true])
    assert.deepEqual(setup.deadLettersOf('Evaluation').ids.length, 10)
  })

  for (const [json, path] of [
    [{ queue: 'Other' }, 'queue'],
    [{ force: 'yes' }, 'force'],
    [{ limit: 1001 }, 'limit'],
    [{ ids: [] }, 'ids'],
  ] as const)
    test(`refuses ${JSON.stringify(json)}`, async () => {
      const { status, body } = await api.call('POST /dead-letters/redrive', { json })
      assert.deepEqual([status, body.errors[0].path], [422, path])
    })
})

const errors = () => api.logged.filter(({ level }) => level === 'error').map(({ error }) => error)
