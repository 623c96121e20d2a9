import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'
import { slotsKey } from '../../../shared/transport/keys.ts'
import { type Slot, Slots } from '../../../shared/transport/slots.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { minutesLater, receivedAt } from '../../support/fixtures.ts'
import { testAccount } from '../../support/lambda.ts'
import { listenSilently } from '../../support/listen.ts'

let db: TestDynamoDb
before(async () => {
  db = await startDynamoDb()
})
after(() => db.stop())

let serial = 0
const destination = () => `partner-${serial++}.example`

const slots = (max: number) =>
  new Slots(db.documents, db.transportTable, { maxSlots: max, leaseMs: 60_000, timeoutMs: 5_000 })

const all = <T>(count: number, each: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, each))

const taken = (results: readonly (Slot | null)[]): Slot[] => results.filter((slot) => slot !== null)

describe("a destination's slots", () => {
  it('are limited to three of twelve concurrent requests when maxSlots is 3', async () => {
    const to = destination()
    const results = await all(12, () => slots(3).acquire(to, receivedAt))
    assert.equal(taken(results).length, 3)
  })

  it('do not count for other destinations', async () => {
    const [first, second] = [destination(), destination()]
    assert.ok(await slots(1).acquire(first, receivedAt))
    assert.ok(await slots(1).acquire(second, receivedAt))
    assert.equal(await slots(1).acquire(first, receivedAt), null)
  })

  it('become free when they are released; a second release of one slot frees no other', async () => {
    const to = destination()
    const [first, second] = taken(await all(2, () => slots(2).acquire(to, receivedAt)))
    await first?.release()
    await first?.release()
    assert.ok(await slots(2).acquire(to, receivedAt))
    assert.equal(await slots(2).acquire(to, receivedAt), null)
    assert.ok(second)
  })

  it('of crashed workers become free when their leases end, not earlier', async () => {
    const to = destination()
    await all(2, () => slots(2).acquire(to, receivedAt))
    assert.equal(await slots(2).acquire(to, minutesLater(0.9)), null)
    const later = await all(5, () => slots(2).acquire(to, minutesLater(1.1)))
    assert.equal(taken(later).length, 2)
  })

  it('stay with a running worker when another worker removes expired leases', async () => {
    const to = destination()
    await slots(2).acquire(to, receivedAt)
    await slots(2).acquire(to, minutesLater(0.5))
    assert.ok(await slots(2).acquire(to, minutesLater(1.2)))
    assert.equal(await slots(2).acquire(to, minutesLater(1.2)), null)
  })

  it('are stored in an item that expires a day after the last lease', async () => {
    const to = destination()
    await (await slots(2).acquire(to, receivedAt))?.release()
    const { Item } = await db.documents.send(
      new GetCommand({ TableName: db.transportTable, Key: slotsKey(to) }),
    )
    assert.equal(Item?.leases, undefined)
    assert.equal(Item?.expiresAt, receivedAt.getTime() / 1000 + 60 + 86_400)
  })

  it('cannot be acquired when the table does not respond: acquire() rejects at its timeout', async () => {
    const silent = await listenSilently()
    const client = new DynamoDBClient({ endpoint: silent.url, ...testAccount })
    const mute = new Slots(DynamoDBDocumentClient.from(client), 'transport', {
      maxSlots: 1,
      leaseMs: 60_000,
      timeoutMs: 50,
    })
    await assert.rejects(mute.acquire(destination(), receivedAt), /abort/i)
    client.destroy()
    await silent.stop()
  })
})
