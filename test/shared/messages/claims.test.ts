import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Claims } from '../../../shared/messages/claims.ts'
import { dsnKey } from '../../../shared/messages/message-keys.ts'
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
const nextKey = () => dsnKey(`message-${serial++}`, 'b@ours.example', 'failed')

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

test('different DSNs, recipients and messages have different claims', async () => {
  const keys = [
    dsnKey('m1', 'b@x.example', 'failed'),
    dsnKey('m1', 'b@x.example', 'delayed'),
    dsnKey('m1', 'c@x.example', 'failed'),
    dsnKey('m2', 'b@x.example', 'failed'),
  ]
  for (const key of keys)
    assert.equal((await claims.claim(key, receivedAt, leaseMs, expiresAt)).kind, 'Claimed')
})

test('a released claim is granted at once', async () => {
  const key = nextKey()
  await claims.claim(key, receivedAt, leaseMs, expiresAt, 'worker 1')
  await claims.release(key, 'worker 1')
  assert.deepEqual(await claims.claim(key, receivedAt, leaseMs, expiresAt), {
    kind: 'Claimed',
    leaseExpired: false,
  })
})

test('a claim is released only by its holder', async () => {
  const key = nextKey()
  await claims.claim(key, receivedAt, leaseMs, expiresAt, 'worker 1')
  await claims.release(key, 'worker 1')
  await claims.claim(key, receivedAt, leaseMs, expiresAt, 'worker 2')
  await claims.release(key, 'worker 1')
  assert.deepEqual(await claims.claim(key, receivedAt, leaseMs, expiresAt), { kind: 'Busy' })
})
