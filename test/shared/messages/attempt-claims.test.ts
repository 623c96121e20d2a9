import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DeleteCommand } from '@aws-sdk/lib-dynamodb'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { recipientKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  attempt,
  authenticatedMessage,
  circumstances,
  minutesLater,
  receivedAt,
  recipient,
} from '../../support/fixtures.ts'

let database: TestDynamoDb
let claims: AttemptClaims
let trace: Trace
before(async () => {
  database = await startDynamoDb()
  claims = new AttemptClaims(database.documents, database.messagesTable)
  trace = new Trace(database.documents, database.messagesTable)
})
after(() => database.stop())

const leaseMs = 360_000
const expiresAt = 2_000_000_000
const address = 'b@ours.example'
let serial = 0
const nextKey = (fields: { attempt?: number } = {}) => ({
  messageId: `message-${String(serial++).padStart(18, '0')}`,
  address,
  attempt: 1,
  ...fields,
})
type Key = ReturnType<typeof nextKey>

const claim = (key: Key, minutes = 0, holder = `worker ${serial++}`) =>
  claims.claim(key, { now: minutesLater(minutes), leaseMs, expiresAt, holder })
const result = (key: Key, fields: Parameters<typeof attempt>[0] = {}) =>
  attempt({ number: key.attempt, ...fields })
const delivered = (key: Key) => result(key, { outcome: 'Delivered' })
const progress = async ({ messageId }: Key) => (await trace.progress(messageId, [address])).get(address)

const record = (key: Key, action: Verdict['action'], attempts = 0) =>
  trace.recordVerdict(
    authenticatedMessage({ id: key.messageId }),
    {
      action,
      recipient: recipient({ address, attempts }),
      reason: 'Expired',
      explanation: '',
      connectors: { inbound: null, outbound: null },
      reply: { code: 550, enhanced: '5.4.7', text: 'expired' },
      until: receivedAt,
      expiresAt: receivedAt,
      lowered: [],
    } as unknown as Verdict,
    circumstances,
    expiresAt,
  )

test('a claim is granted only once during its lease, also of fifty at the same time', async () => {
  const key = nextKey()
  const all = await Promise.all(Array.from({ length: 50 }, () => claim(key)))
  assert.deepEqual(
    [all.filter(({ kind }) => kind === 'Claimed').length, all.filter(({ kind }) => kind === 'Busy').length],
    [1, 49],
  )
  assert.deepEqual(await claim(key, 5), { kind: 'Busy' })
})

test('a claim is granted again after each expired lease, and counts the workers that wrote no result', async () => {
  const key = nextKey()
  assert.deepEqual(await claim(key), { kind: 'Claimed', lost: 0 })
  assert.deepEqual(await claim(key, 7), { kind: 'Claimed', lost: 1 })
  assert.deepEqual(await claim(key, 8), { kind: 'Busy' })
  assert.deepEqual(await claim(key, 14), { kind: 'Claimed', lost: 2 })
})

test('of many workers that find an expired lease, one is granted the claim', async () => {
  const key = nextKey()
  await claim(key)
  const all = await Promise.all(Array.from({ length: 20 }, () => claim(key, 7)))
  assert.deepEqual(
    all.filter(({ kind }) => kind === 'Claimed'),
    [{ kind: 'Claimed', lost: 1 }],
  )
})

test('a claim that the SDK repeats after a lost response is granted to its own holder', async () => {
  const key = nextKey()
  await claim(key, 0, 'worker')
  assert.deepEqual(await claim(key, 0, 'worker'), { kind: 'Claimed', lost: 0 })
})

describe('a completed claim', () => {
  test('keeps its result and is never granted again', async () => {
    const key = nextKey()
    await claim(key, 0, 'worker')
    await claims.complete(key, 'worker', result(key), false)
    const done = { kind: 'Done', attempt: result(key), isSettled: false }
    assert.deepEqual(await claim(key, 1000), done)
    assert.equal((await progress(key))?.state, null)
  })

  test('of a delivery settles the recipient in the same write, and may be repeated', async () => {
    const key = nextKey()
    await claim(key, 0, 'worker')
    for (const _ of ['first', 'repeated']) await claims.complete(key, 'worker', delivered(key), true)
    assert.equal((await progress(key))?.state, 'Delivered')
    assert.deepEqual(await claim(key, 1000), { kind: 'Done', attempt: delivered(key), isSettled: true })
    assert.deepEqual(await claim({ ...key, attempt: 2 }), { kind: 'Overtaken' })
  })

  test('is not written by a worker whose lease another worker took over', async () => {
    const key = nextKey()
    await claim(key, 0, 'slow worker')
    await claim(key, 7, 'second worker')
    await assert.rejects(claims.complete(key, 'slow worker', delivered(key), true), /another holder/)
    assert.equal((await progress(key))?.state, null)
  })

  test('is not written after a report has settled the recipient, so that the reported result remains', async () => {
    const key = nextKey()
    await claim(key, 0, 'slow worker')
    await trace.recordDelivered(key.messageId, address, delivered(key), expiresAt)
    await assert.rejects(claims.complete(key, 'slow worker', result(key), false), /another holder/)
    assert.deepEqual(await claim(key), { kind: 'Done', attempt: delivered(key), isSettled: true })
  })

  test('of a delivery does not replace the bounce that the report of a slow worker caused', async () => {
    const key = nextKey()
    await claim(key, 0, 'slow worker')
    await claim(key, 7, 'second worker')
    assert.notEqual((await record(key, 'Bounce', 1)).executed, null)
    await assert.rejects(claims.complete(key, 'second worker', delivered(key), true), /settled/)
    assert.equal((await progress(key))?.state, 'Bounced')
  })
})

describe('a released claim', () => {
  test('is granted at once, counts no lost worker, and its attempt has not begun', async () => {
    const key = nextKey()
    await claim(key, 0, 'worker 1')
    await claims.release(key, 'worker 1')
    assert.equal((await progress(key))?.begunAttempt, null)
    assert.deepEqual(await claim(key), { kind: 'Claimed', lost: 0 })
    assert.equal((await progress(key))?.begunAttempt, 1)
  })

  test('is released only by its holder', async () => {
    const key = nextKey()
    await claim(key, 0, 'worker 1')
    await claims.release(key, 'worker 1')
    await claim(key, 0, 'worker 2')
    await claims.release(key, 'worker 1')
    assert.deepEqual(await claim(key), { kind: 'Busy' })
  })
})

describe('an attempt is overtaken', () => {
  test('by the decision about its own outcome, also when its result was never written', async () => {
    const key = nextKey()
    await claim(key)
    await record(key, 'Defer', 1)
    assert.deepEqual(await claim(key, 60), { kind: 'Overtaken' })
    assert.deepEqual(await claim({ ...key, attempt: 2 }, 60), { kind: 'Claimed', lost: 0 })
    assert.deepEqual(await claim(key, 60), { kind: 'Overtaken' })
  })

  test('by a bounce', async () => {
    const key = nextKey()
    assert.notEqual((await record(key, 'Bounce')).executed, null)
    assert.deepEqual(await claim(key), { kind: 'Overtaken' })
  })

  test('by a later attempt that was claimed after the loss of the table', async () => {
    const key = nextKey()
    await claim({ ...key, attempt: 2 })
    assert.deepEqual(await claim(key, 60), { kind: 'Overtaken' })
  })

  test('not by an earlier decision, which it follows', async () => {
    const key = nextKey({ attempt: 2 })
    await record(key, 'Deliver', 1)
    assert.deepEqual(await claim(key), { kind: 'Claimed', lost: 0 })
  })
})

describe('a bounce', () => {
  const isRecorded = async (key: Key, attempts = 0) =>
    (await record(key, 'Bounce', attempts)).executed !== null

  test('is not recorded once the next attempt was claimed, whatever became of its worker', async () => {
    const key = nextKey()
    await claim(key, 0, 'worker')
    assert.equal(await isRecorded(key), false)
    await claims.complete(key, 'worker', result(key), false)
    assert.equal(await isRecorded(key), false)
    assert.equal(await isRecorded(key, 1), true, 'the decision about its outcome')
  })

  test('is recorded after the next attempt was released, and then no worker can claim it', async () => {
    const key = nextKey()
    await claim(key, 0, 'worker')
    await claims.release(key, 'worker')
    assert.equal(await isRecorded(key), true)
    assert.deepEqual(await claim(key), { kind: 'Overtaken' })
  })

  test('of many, together with as many claims, excludes all claims or is excluded by one', async () => {
    for (let round = 0; round < 10; round++) {
      const key = nextKey()
      const [bounces, claimed] = await Promise.all([
        Promise.all(Array.from({ length: 5 }, () => isRecorded(key))),
        Promise.all(Array.from({ length: 5 }, () => claim(key))),
      ])
      const granted = claimed.filter(({ kind }) => kind === 'Claimed').length
      assert.equal(bounces.includes(true), granted === 0)
      assert.ok(granted <= 1)
    }
  })
})

test('the loss of the table does not stop a delivery', async () => {
  const key = nextKey({ attempt: 3 })
  await record(key, 'Deliver', 2)
  await database.documents.send(
    new DeleteCommand({ TableName: database.messagesTable, Key: recipientKey(key.messageId, address) }),
  )
  assert.deepEqual(await claim(key, 0, 'worker'), { kind: 'Claimed', lost: 0 })
  await claims.complete(key, 'worker', delivered(key), true)
  assert.equal((await progress(key))?.state, 'Delivered')
})
