import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'
import { slotsKey } from '../../../shared/transport/keys.ts'
import { type AcquiredSlots, Slots } from '../../../shared/transport/slots.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { eventually } from '../../support/eventually.ts'
import { receivedAt } from '../../support/fixtures.ts'
import { testAccount } from '../../support/lambda.ts'
import { listenSilently } from '../../support/listen.ts'

let db: TestDynamoDb
before(async () => {
  db = await startDynamoDb()
})
after(() => db.stop())

let serial = 0
const destination = () => `partner-${serial++}.example`

const leaseMs = 60_000
let nowMs = receivedAt.getTime()

/** The slots as one worker sees them: a quarter of the limit, but at least one. */
const worker = (maxLimit: number, documents = db.documents) =>
  new Slots(documents, db.transportTable, {
    ...{ initialLimit: maxLimit, maxLimit, maxHolders: 50, leaseMs, timeoutMs: 5_000 },
    now: () => nowMs,
  })

const all = <T>(count: number, each: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, each))

const taken = (results: readonly (AcquiredSlots | null)[]): AcquiredSlots[] =>
  results.filter((slots) => slots !== null)

const item = async (to: string) => {
  const { Item } = await db.documents.send(
    new GetCommand({ TableName: db.transportTable, Key: slotsKey(to), ConsistentRead: true }),
  )
  return Item
}

/** Counts the requests of a worker. */
function counting() {
  const counts = { GetCommand: 0, PutCommand: 0 }
  const documents = {
    send(command: { constructor: { name: string } }, ...options: unknown[]) {
      counts[command.constructor.name as keyof typeof counts] += 1
      return (db.documents.send as (...all: unknown[]) => Promise<unknown>)(command, ...options)
    },
  }
  return { counts, documents: documents as unknown as DynamoDBDocumentClient }
}

describe("a destination's slots", () => {
  it('are limited to three of twelve workers that ask at the same time when the limit is 3', async () => {
    const to = destination()
    assert.equal(taken(await all(12, () => worker(3).acquire(to, 1))).length, 3)
  })

  it('do not count for other destinations', async () => {
    const [first, second] = [destination(), destination()]
    assert.ok(await worker(1).acquire(first, 1))
    assert.ok(await worker(1).acquire(second, 1))
    assert.equal(await worker(1).acquire(first, 1), null)
  })

  it('are shared: of ten, four workers that want ten get 3, 3, 3 and 1', async () => {
    const to = destination()
    const counts: number[] = []
    for (let number = 0; number < 4; number += 1) counts.push((await worker(10).acquire(to, 10))?.count ?? 0)
    assert.deepEqual(counts, [3, 3, 3, 1])
    assert.equal(await worker(10).acquire(to, 10), null)
  })

  it('become free when they are released; a second release of one worker frees no other', async () => {
    const to = destination()
    const [first, second] = taken(await all(2, () => worker(2).acquire(to, 1)))
    await first?.release()
    await first?.release()
    assert.ok(await worker(2).acquire(to, 1))
    assert.equal(await worker(2).acquire(to, 1), null)
    assert.ok(second)
  })

  it('of crashed workers become free when their leases end, not earlier', async () => {
    const to = destination()
    await all(2, () => worker(2).acquire(to, 1))
    nowMs += leaseMs - 1
    assert.equal(await worker(2).acquire(to, 1), null)
    nowMs += 1
    assert.equal(taken(await all(5, () => worker(2).acquire(to, 1))).length, 2)
  })

  it('grow with reports of accepted mail, and shrink after overload', async () => {
    const to = destination()
    const slots = worker(10)
    const options = { initialLimit: 4, maxLimit: 10, maxHolders: 50, leaseMs, timeoutMs: 5_000 }
    const growing = new Slots(db.documents, db.transportTable, { ...options, now: () => nowMs })
    for (const expected of [5, 7, 9, 10]) {
      const acquired = await growing.acquire(to, 10)
      acquired?.report('Accepted')
      await acquired?.release()
      assert.equal((await item(to))?.limit, expected)
    }
    const overloaded = await slots.acquire(to, 10)
    assert.equal(overloaded?.count, 3)
    overloaded?.report('Overloaded')
    assert.equal(overloaded?.count, 1)
    await overloaded?.release()
    assert.equal((await item(to))?.limit, 5)
  })

  it('of a lone message cost one write: the lease is left to expire, and its worker uses it again', async () => {
    const to = destination()
    const { counts, documents } = counting()
    const slots = worker(10, documents)
    const first = await slots.acquire(to, 1)
    first?.report('Accepted')
    await first?.release()
    assert.deepEqual(counts, { GetCommand: 1, PutCommand: 1 })
    await (await slots.acquire(to, 1))?.release()
    assert.deepEqual((await item(to))?.leases.length, 1)
  })

  it('cost a worker that gets none no write, and no read for half a second', async () => {
    const to = destination()
    await worker(1).acquire(to, 1)
    const { counts, documents } = counting()
    const refused = worker(1, documents)
    for (let time = 0; time < 10; time += 1) assert.equal(await refused.acquire(to, 1), null)
    assert.deepEqual(counts, { GetCommand: 1, PutCommand: 0 })
    nowMs += 500
    await refused.acquire(to, 1)
    assert.deepEqual(counts, { GetCommand: 2, PutCommand: 0 })
  })

  it('are renewed while their worker delivers', async () => {
    const to = destination()
    const short = new Slots(db.documents, db.transportTable, {
      ...{ initialLimit: 1, maxLimit: 1, maxHolders: 50, leaseMs: 150, timeoutMs: 5_000 },
      now: Date.now,
    })
    const acquired = await short.acquire(to, 1)
    const [end] = (await item(to))?.leases ?? []
    let latest = end
    const reads = setInterval(async () => {
      latest = (await item(to))?.leases[0]
    }, 20)
    await eventually(() => latest !== end, 'a renewal')
    clearInterval(reads)
    await acquired?.release()
    assert.deepEqual((await item(to))?.leases, [])
  })

  it('are returned by a renewal when the worker has fewer deliveries left', async () => {
    const to = destination()
    const slots = new Slots(db.documents, db.transportTable, {
      ...{ initialLimit: 20, maxLimit: 20, maxHolders: 50, leaseMs: 150, timeoutMs: 5_000 },
      now: Date.now,
    })
    const acquired = await slots.acquire(to, 5)
    assert.equal(acquired?.count, 5)
    acquired?.reduceTo(1)
    await eventually(() => acquired?.count === 1, 'a renewal')
    assert.match((await item(to))?.leases[0], /^[^#]+#1#/)
    await acquired?.release()
  })

  it('are stored in an item that expires a day after the last write', async () => {
    const to = destination()
    await worker(2).acquire(to, 1)
    assert.equal((await item(to))?.expiresAt, Math.ceil(nowMs / 1000) + 86_400)
  })

  it('of twenty workers need one write unit', async () => {
    const to = destination()
    const slots = { initialLimit: 100, maxLimit: 100, maxHolders: 20, leaseMs, timeoutMs: 5_000 }
    for (let number = 0; number < 20; number += 1)
      await new Slots(db.documents, db.transportTable, { ...slots, now: () => nowMs }).acquire(to, 5)
    const stored = await item(to)
    assert.equal(stored?.leases.length, 20)
    assert.ok(JSON.stringify(stored).length < 1_024)
  })

  it('cannot be acquired when the table does not respond: acquire() rejects at its timeout', async () => {
    const silent = await listenSilently()
    const client = new DynamoDBClient({ endpoint: silent.url, ...testAccount })
    const mute = new Slots(DynamoDBDocumentClient.from(client), 'transport', {
      ...{ initialLimit: 1, maxLimit: 1, maxHolders: 1, leaseMs, timeoutMs: 50 },
      now: Date.now,
    })
    await assert.rejects(mute.acquire(destination(), 1), /abort/i)
    client.destroy()
    await silent.stop()
  })
})
