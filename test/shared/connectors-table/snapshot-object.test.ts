import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { zstdCompressSync } from 'node:zlib'
import { type DynamoDBDocumentClient, PutCommand, type QueryCommand } from '@aws-sdk/lib-dynamodb'
import { changeItems } from '../../../shared/connectors-table/change-log.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import {
  formatSnapshot,
  parseSnapshot,
  type SnapshotObject,
  type StoredSet,
} from '../../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../../shared/connectors-table/snapshot-reader.ts'
import { versionKeys } from '../../../shared/connectors-table/version.ts'
import { inboundInput } from '../../support/connectors.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { connectorsIn, inbound, outbound } from '../../support/fixtures.ts'

const at = '2026-03-01T00:00:00.000Z'

const setOf = (version: number, names: readonly string[]): StoredSet => ({
  version,
  at,
  inbound: names.map((name) => inbound({ name, id: `id of ${name}` })),
  outbound: [outbound({ name: 'Ünïcode' })],
  acceptedDomains: [{ domain: 'ours.example' }],
})

describe('the snapshot object', () => {
  test('has every connector and domain, of any number', async () => {
    for (const count of [0, 1, 999, 1000, 1001, 2500]) {
      const set = setOf(
        7,
        Array.from({ length: count }, (_, n) => `Connector ${n}`),
      )
      assert.deepEqual(await parseSnapshot(await formatSnapshot(set)), set)
    }
  })

  test('is refused when it is cut, lacks a line, or has another format', async () => {
    const set = setOf(7, ['A'])
    const octets = await formatSnapshot(set)
    await assert.rejects(parseSnapshot(octets.subarray(0, -20)))
    const header = { format: 1, version: 7, at, counts: { inbound: 1, outbound: 0, acceptedDomains: 0 } }
    const text = (value: object) => zstdCompressSync(JSON.stringify(value))
    await assert.rejects(parseSnapshot(text(header)), /lacks items of inbound/)
    await assert.rejects(parseSnapshot(text({ ...header, format: 2 })))
    await assert.rejects(parseSnapshot(Buffer.from('')))
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const heapUsed = () => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())
beforeEach(() => emptyTable(database))

/** Writes the version and the time of its change, as many writes before it would. */
async function setVersion(version: number, changedAt = at): Promise<void> {
  const change = { at: changedAt, actor: 'a', kind: 'inbound-connector', key: 'k', name: 'n' } as const
  const items = changeItems({ version, ...change, before: {}, after: null, item: null })
  for (const Item of [...versionKeys.map((key) => ({ ...key, version, at: changedAt })), ...items])
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item }))
}

function readerWith(stored: StoredSet | null) {
  const partitions: string[] = []
  const written: StoredSet[] = []
  let reads = 0
  const object: SnapshotObject = {
    read: async () => {
      reads++
      return written.at(-1) ?? stored
    },
    write: async (set) => void written.push(set),
  }
  const client = {
    send(command: QueryCommand) {
      const { ':kind': kind, ':changes': changes } = command.input.ExpressionAttributeValues ?? {}
      if (kind ?? changes) partitions.push(kind ?? changes)
      return database.documents.send(command)
    },
  } as unknown as DynamoDBDocumentClient
  const reader = new SnapshotReader(client, 'connectors', { object })
  return { reader, partitions, written, reads: () => reads }
}

const create = (name: string) =>
  new ConnectorRepository(database.documents, 'connectors').inbound.create(
    inboundInput({ name }),
    'administrator',
  )
const namesIn = async (reader: SnapshotReader) =>
  [...connectorsIn(await reader.current()).values()].map(({ name }) => name).sort()

describe('a reader that starts', () => {
  test('reads the object and the changes since, and not the table', async () => {
    await setVersion(600)
    await create('B')
    const { reader, partitions } = readerWith(setOf(600, ['A']))
    assert.deepEqual(await namesIn(reader), ['A', 'B', 'Ünïcode'])
    assert.equal((await reader.current()).version, 601)
    assert.deepEqual(partitions, ['changes'])
  })

  const unusable: [name: string, StoredSet | null][] = [
    ['does not exist', null],
    ['has changes since that are not in the log', setOf(550, ['A'])],
    ['is of a version that the table does not have, because a backup was restored', setOf(700, ['A'])],
    [
      'is of another change of its version, because a backup was restored',
      { ...setOf(600, ['A']), at: '2025' },
    ],
  ]
  for (const [name, stored] of unusable)
    test(`reads the table when the object ${name}`, async () => {
      await setVersion(600)
      await create('B')
      assert.deepEqual(await namesIn(readerWith(stored).reader), ['B'])
    })

  test('asks for no object of a table with few changes', async () => {
    await create('A')
    const { reader, reads } = readerWith(setOf(1, ['B']))
    assert.deepEqual([await namesIn(reader), reads()], [['A'], 0])
  })
})

test('of many changes of large connectors, a reader keeps only the last of each connector in memory', async () => {
  const itemOf = (version: number) => ({
    ...inbound({ id: 'large' }),
    comment: String(version).repeat(50_000),
  })
  const changes = 300
  let last = 0
  let heapBefore = 0
  let heapAfter = 0
  const client = {
    async send({ input }: QueryCommand) {
      const { ':changes': partition } = input.ExpressionAttributeValues ?? {}
      if (partition === undefined) return { Item: { version: changes, at } }
      if (last === 0) heapBefore = heapUsed()
      if (++last === changes) heapAfter = heapUsed()
      const change = { at, actor: 'a', kind: 'inbound-connector', key: 'large', name: 'n' } as const
      const item = itemOf(last)
      const [first, ...parts] = changeItems({ version: last, ...change, before: item, after: item, item })
      return { Items: [first, ...parts], ...(last < changes && { LastEvaluatedKey: {} }) }
    },
  } as unknown as DynamoDBDocumentClient
  const { all } = await new SnapshotReader(client, 'connectors').current()
  const { connector } = all.inbound.get('large') ?? {}
  assert.deepEqual(connector, itemOf(changes))
  assert.ok(heapAfter - heapBefore < 20_000_000, `${heapAfter - heapBefore} octets`)
})

describe('the object', () => {
  test('is replaced at once when it is of a version that the table does not have', async () => {
    await setVersion(600)
    const { reader, written } = readerWith(setOf(700, ['A']))
    await reader.current()
    await reader.storeWhenDue()
    assert.deepEqual(
      written.map(({ version }) => version),
      [600],
    )
  })

  test('is written once when it is 500 changes old, and then after 500 more', async () => {
    await setVersion(600)
    const { reader, written } = readerWith(setOf(600, ['A']))
    const storeAt = async (version: number) => {
      await setVersion(version)
      await reader.current()
      await reader.storeWhenDue()
      return written.length
    }
    assert.equal(await storeAt(600), 0)
    const counts: number[] = []
    for (const version of [1099, 1100, 1101, 1599, 1600]) counts.push(await storeAt(version))
    assert.deepEqual(counts, [0, 1, 1, 1, 2])
    assert.deepEqual(
      written.map(({ version, at }) => [version, at]),
      [
        [1100, at],
        [1600, at],
      ],
    )
  })

  test('is not written before this process has read the connectors, nor for few changes', async () => {
    await create('A')
    const { reader, written } = readerWith(null)
    await reader.storeWhenDue()
    await reader.current()
    await reader.storeWhenDue()
    assert.deepEqual(written, [])
  })
})
