import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Claims } from '../../../shared/messages/claims.ts'
import { attemptKey } from '../../../shared/messages/message-keys.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { minutesLater, receivedAt } from '../../support/fixtures.ts'

let database: TestDynamoDb
let claims: Claims<{ reply: string }>
before(async () => {
  database = await startDynamoDb()
  claims = new Claims(database.documents, database.messagesTable)
})
after(() => database.stop())

const leaseMs = 360_000
const expiresAt = 2_000_000_000
let serial = 0
const nextKey = () => attemptKey(`message-${serial++}`, 'b@ours.example', 1)

test('a claim is granted only once during its lease', async () => {
  const key = nextKey()
  assert.deepEqual(await claims.claim(key, receivedAt, leaseMs, expiresAt), {
    kind: 'Claimed',
    leaseExpired: false,
  })
  assert.deepEqual(await claims.claim(key, minutesLater(5), leaseMs, expiresAt), { kind: 'Busy' })
})

test('only one of fifty concurrent claims of one effect is granted', async () => {
  const key = nextKey()
  const all = await Promise.all(
    Array.from({ length: 50 }, () => claims.claim(key, receivedAt, leaseMs, expiresAt)),
  )
  assert.equal(all.filter(({ kind }) => kind === 'Claimed').length, 1)
})

test('a claim whose lease has expired is granted again, with leaseExpired true', async () => {
  const key = nextKey()
  await claims.claim(key, receivedAt, leaseMs, expiresAt)
  assert.deepEqual(await claims.claim(key, minutesLater(7), leaseMs, expiresAt), {
    kind: 'Claimed',
    leaseExpired: true,
  })
})

test('a completed claim keeps its result and is never granted again', async () => {
  const key = nextKey()
  await claims.claim(key, receivedAt, leaseMs, expiresAt)
  await claims.complete(key, { reply: '250 2.0.0 Ok' })
  const repetition = await claims.claim(key, minutesLater(1000), leaseMs, expiresAt)
  assert.deepEqual(repetition, { kind: 'Done', result: { reply: '250 2.0.0 Ok' } })
})

test('an unclaimed effect can be cancelled repeatedly, and each cancellation renews the lease', async () => {
  const key = nextKey()
  assert.equal(await claims.cancel(key, { reply: 'never' }, receivedAt, leaseMs, expiresAt), true)
  assert.equal(await claims.cancel(key, { reply: 'never' }, minutesLater(4), leaseMs, expiresAt), true)
  assert.deepEqual(await claims.claim(key, minutesLater(9), leaseMs, expiresAt), {
    kind: 'Done',
    result: { reply: 'never' },
  })
})

test('a cancelled effect can be claimed again after the lease of its cancellation', async () => {
  const key = nextKey()
  await claims.cancel(key, { reply: 'never' }, receivedAt, leaseMs, expiresAt)
  assert.deepEqual(await claims.claim(key, minutesLater(7), leaseMs, expiresAt), {
    kind: 'Claimed',
    leaseExpired: true,
  })
  assert.deepEqual(await claims.claim(key, minutesLater(8), leaseMs, expiresAt), { kind: 'Busy' })
})

test('a claimed effect cannot be cancelled, neither after its lease nor after its completion', async () => {
  const key = nextKey()
  await claims.claim(key, receivedAt, 1, expiresAt)
  const cancel = () => claims.cancel(key, { reply: 'never' }, minutesLater(60), leaseMs, expiresAt)
  assert.equal(await cancel(), false)
  await claims.complete(key, { reply: '250 2.0.0 Ok' })
  assert.equal(await cancel(), false)
})

test('different attempts, recipients and messages have different claims', async () => {
  const keys = [
    attemptKey('m1', 'b@x.example', 1),
    attemptKey('m1', 'b@x.example', 2),
    attemptKey('m1', 'c@x.example', 1),
    attemptKey('m2', 'b@x.example', 1),
  ]
  for (const key of keys)
    assert.equal((await claims.claim(key, receivedAt, leaseMs, expiresAt)).kind, 'Claimed')
})

test('a released claim is granted at once and can be cancelled, and its effect has not begun', async () => {
  const [key, cancelled] = [nextKey(), nextKey()]
  for (const each of [key, cancelled]) {
    await claims.claim(each, receivedAt, leaseMs, expiresAt, 'worker 1')
    await claims.release(each, 'worker 1')
    assert.equal(await claims.hasBegun(each), false)
  }
  assert.equal(await claims.cancel(cancelled, { reply: 'never' }, receivedAt, leaseMs, expiresAt), true)
  assert.deepEqual(await claims.claim(key, receivedAt, leaseMs, expiresAt), {
    kind: 'Claimed',
    leaseExpired: false,
  })
  assert.equal(await claims.hasBegun(key), true)
})

test('a claim is released only by its holder', async () => {
  const key = nextKey()
  await claims.claim(key, receivedAt, leaseMs, expiresAt, 'worker 1')
  await claims.release(key, 'worker 1')
  await claims.claim(key, receivedAt, leaseMs, expiresAt, 'worker 2')
  await claims.release(key, 'worker 1')
  assert.deepEqual(await claims.claim(key, receivedAt, leaseMs, expiresAt), { kind: 'Busy' })
})
