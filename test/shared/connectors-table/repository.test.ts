import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { ConnectorRepository, SnapshotReader } from '../../../shared/connectors-table/repository.ts'
import { inboundInput, outboundInput } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { connectorsIn } from '../../support/fixtures.ts'

let database: TestDynamoDb
let clock = 0
let repository: ConnectorRepository

before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

beforeEach(async () => {
  clock = Date.parse('2026-03-01T00:00:00Z')
  const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: 'connectors' }))
  for (const { pk, sk } of Items)
    await database.documents.send(new DeleteCommand({ TableName: 'connectors', Key: { pk, sk } }))
  repository = new ConnectorRepository(database.documents, database.connectorsTable, () => clock)
})

/** Creates a connector and asserts that it was created. */
async function created(changes = {}) {
  const saved = await repository.inbound.create(inboundInput(changes))
  assert(saved.kind === 'Saved', `created, not ${saved.kind}`)
  return saved.value
}

const kindsOf = (outcomes: { kind: string }[]) => outcomes.map(({ kind }) => kind).sort()

function tooLarge() {
  const domains = Array.from({ length: 1000 }, (_, n) => `${`${'a'.repeat(60)}.`.repeat(3)}d${n}.example`)
  return { senderDomains: domains, tlsSenderCertificateNames: domains }
}

describe('a connector', () => {
  test("is stored as written, with the server's fields", async () => {
    const connector = await created()
    assert.deepEqual(connector, {
      ...inboundInput(),
      id: connector.id,
      createdAt: '2026-03-01T00:00:00.000Z',
      updatedAt: '2026-03-01T00:00:00.000Z',
      version: 1,
    })
    assert.deepEqual(await repository.inbound.get(connector.id), connector)
  })

  test('keeps its id and creation time when it is replaced', async () => {
    const { id, createdAt } = await created()
    clock += 1000
    const saved = await repository.inbound.replace(id, inboundInput({ comment: 'new' }), [1])
    assert(saved.kind === 'Saved')
    const { version, updatedAt, comment } = saved.value
    assert.deepEqual(
      {
        id: saved.value.id,
        createdAt: saved.value.createdAt,
        version,
        comment,
        later: updatedAt > createdAt,
      },
      { id, createdAt, version: 2, comment: 'new', later: true },
    )
  })

  test('accepts one of two writers with the same version', async () => {
    const { id } = await created()
    const outcomes = await Promise.all(
      ['one', 'two'].map((comment) => repository.inbound.replace(id, inboundInput({ comment }), [1])),
    )
    assert.deepEqual(kindsOf(outcomes), ['Saved', 'VersionMismatch'])
    const winner = outcomes.find((outcome) => outcome.kind === 'Saved')
    assert.deepEqual(await repository.inbound.get(id), winner?.kind === 'Saved' && winner.value)
  })

  test('is either replaced or removed by two writers with the same version', async () => {
    const { id } = await created()
    const [replaced, removed] = await Promise.all([
      repository.inbound.replace(id, inboundInput(), [1]),
      repository.inbound.remove(id, [1]),
    ])
    assert.equal([replaced.kind === 'Saved', removed.kind === 'Removed'].filter(Boolean).length, 1)
  })

  test('is refused when it is larger than an item', async () => {
    const saved = await repository.inbound.create(inboundInput(tooLarge()))
    assert.equal(saved.kind, 'TooLarge')
  })
})

describe('a name', () => {
  test('is refused to a second connector of the kind, in any letter case', async () => {
    await created({ name: 'Contoso' })
    assert.equal((await repository.inbound.create(inboundInput({ name: 'CONTOSO' }))).kind, 'NameTaken')
  })

  test('may be shared by an inbound and an outbound connector', async () => {
    await created({ name: 'Contoso' })
    assert.equal((await repository.outbound.create(outboundInput({ name: 'Contoso' }))).kind, 'Saved')
  })

  test('goes to one of many connectors created at the same time', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => repository.inbound.create(inboundInput())),
    )
    assert.deepEqual(kindsOf(outcomes), [...Array(7).fill('NameTaken'), 'Saved'])
  })

  test('is free again when its connector is removed or renamed', async () => {
    const { id } = await created({ name: 'A' })
    assert.equal((await repository.inbound.replace(id, inboundInput({ name: 'B' }), [1])).kind, 'Saved')
    await created({ name: 'A' })
    assert.equal((await repository.inbound.remove(id, [2])).kind, 'Removed')
    await created({ name: 'B' })
  })

  test('stays with a connector that changes only its letter case', async () => {
    const { id } = await created({ name: 'contoso' })
    assert.equal((await repository.inbound.replace(id, inboundInput({ name: 'Contoso' }), [1])).kind, 'Saved')
    assert.equal((await repository.inbound.create(inboundInput({ name: 'contoso' }))).kind, 'NameTaken')
  })

  test('of a writer that died is free after a minute, not before', async () => {
    const leftOver = { pk: 'inbound-connector-name', sk: 'contoso', owner: 'dead', at: clock }
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: leftOver }))
    assert.equal((await repository.inbound.create(inboundInput())).kind, 'NameTaken')
    clock += 60_000
    assert.equal((await repository.inbound.create(inboundInput())).kind, 'Saved')
  })

  test('of a writer that died goes to one of many that request it', async () => {
    const leftOver = { pk: 'inbound-connector-name', sk: 'contoso', owner: 'dead', at: clock - 60_000 }
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: leftOver }))
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => repository.inbound.create(inboundInput())),
    )
    assert.deepEqual(kindsOf(outcomes), [...Array(7).fill('NameTaken'), 'Saved'])
  })

  test('is free at once when its connector was too large to be stored', async () => {
    assert.equal((await repository.inbound.create(inboundInput(tooLarge()))).kind, 'TooLarge')
    await created()
  })

  test('of an existing connector is never taken, at any age', async () => {
    await created()
    clock += 86_400_000
    assert.equal((await repository.inbound.create(inboundInput())).kind, 'NameTaken')
  })
})

describe('a page', () => {
  test('holds the requested number and says whether more follow', async () => {
    for (const name of ['A', 'B', 'C']) await created({ name })
    const first = await repository.inbound.page(null, 2)
    const second = await repository.inbound.page(first.last, 2)
    assert.deepEqual(
      [first, second].map(({ items, last }) => [items.length, last !== null]),
      [
        [2, true],
        [1, false],
      ],
    )
    const names = [...first.items, ...second.items].map(({ name }) => name)
    assert.deepEqual(names.sort(), ['A', 'B', 'C'])
  })

  test('that ends exactly with the last item has no successor', async () => {
    for (const name of ['A', 'B']) await created({ name })
    assert.equal((await repository.inbound.page(null, 2)).last, null)
  })
})

/** The client; it counts its commands and fails on request. */
function watched(documents: DynamoDBDocumentClient) {
  const sent: string[] = []
  const inputs: { ConsistentRead?: boolean }[] = []
  const faults = new Set<string>()
  const client = {
    send(command: { constructor: { name: string }; input: unknown }) {
      const name = command.constructor.name
      sent.push(name)
      inputs.push(command.input as { ConsistentRead?: boolean })
      return faults.has(name)
        ? Promise.reject(new Error(`${name} failed`))
        : documents.send(command as PutCommand)
    },
  } as unknown as DynamoDBDocumentClient
  return {
    client,
    sent,
    inputs,
    faults,
    queries: () => sent.filter((name) => name === 'QueryCommand').length,
  }
}

describe('a snapshot reader', () => {
  const reader = () => {
    const watch = watched(database.documents)
    return { ...watch, snapshots: new SnapshotReader(watch.client, 'connectors', () => clock) }
  }

  test('sees a deployment without connectors', async () => {
    const { acceptedDomains, version } = await reader().snapshots.current()
    assert.deepEqual({ domains: acceptedDomains.size, version }, { domains: 0, version: 0 })
  })

  const writes: { name: string; write: (id: string) => Promise<unknown>; seen: string[] }[] = [
    {
      name: 'creation',
      write: () => repository.inbound.create(inboundInput({ name: 'B' })),
      seen: ['A', 'B'],
    },
    {
      name: 'replacement',
      write: (id) => repository.inbound.replace(id, inboundInput({ name: 'C' }), 'any'),
      seen: ['C'],
    },
    { name: 'removal', write: (id) => repository.inbound.remove(id, 'any'), seen: [] },
  ]
  for (const { name, write, seen } of writes) {
    test(`sees a ${name} as soon as it was confirmed`, async () => {
      const { id } = await created({ name: 'A' })
      const { snapshots } = reader()
      await snapshots.current()
      await write(id)
      const found = connectorsIn(await snapshots.current())
      assert.deepEqual([...found.values()].map((connector) => connector.name).sort(), seen)
    })
  }

  test('reads consistently, the version before anything else', async () => {
    const { snapshots, sent, inputs } = reader()
    await snapshots.current()
    assert.deepEqual(sent, ['GetCommand', 'QueryCommand', 'QueryCommand', 'QueryCommand'])
    assert(inputs.every(({ ConsistentRead }) => ConsistentRead === true))
  })

  test('does not keep a failed read of the version for later callers', async () => {
    const { snapshots, faults } = reader()
    faults.add('GetCommand')
    await assert.rejects(snapshots.current({ maxAgeMs: 1000 }))
    faults.clear()
    assert.equal((await snapshots.current({ maxAgeMs: 1000 })).version, 0)
  })

  test('reads only the version while nothing has changed', async () => {
    const { snapshots, sent } = reader()
    const first = await snapshots.current()
    sent.length = 0
    assert.equal(await snapshots.current(), first)
    assert.deepEqual(sent, ['GetCommand'])
  })

  test('loads once for concurrent callers', async () => {
    const { snapshots, queries } = reader()
    const found = await Promise.all(Array.from({ length: 5 }, () => snapshots.current()))
    assert.equal(new Set(found).size, 1)
    assert.equal(queries(), 3, 'one query for each kind')
  })

  test('loads again after a minute, for writers that died before they incremented the version', async () => {
    const { snapshots } = reader()
    await snapshots.current()
    const item = { pk: 'accepted-domain', sk: 'ours.example', domain: 'ours.example', comment: '' }
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: item }))
    clock += 59_999
    assert.equal((await snapshots.current()).acceptedDomains.size, 0)
    clock += 1
    assert.equal((await snapshots.current()).acceptedDomains.size, 1)
  })

  test('finds connectors beyond the first page of the table', async () => {
    const senderDomains = Array.from(
      { length: 1000 },
      (_, n) => `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.d${n}.example`,
    )
    for (let n = 0; n < 6; n++) await created({ name: `Large ${n}`, senderDomains })
    const { snapshots, queries } = reader()
    assert.equal(connectorsIn(await snapshots.current()).size, 6)
    assert(queries() > 3, 'the table answered in several pages')
  })

  for (const fault of ['GetCommand', 'QueryCommand']) {
    test(`decides nothing when a ${fault} fails, and recovers`, async () => {
      const { snapshots, faults } = reader()
      await snapshots.current()
      await created()
      faults.add(fault)
      await assert.rejects(snapshots.current(), new Error(`${fault} failed`))
      faults.clear()
      assert.equal(connectorsIn(await snapshots.current()).size, 1)
    })
  }

  test('uses a version read again within maxAgeMs', async () => {
    const { snapshots, sent } = reader()
    await snapshots.current()
    await created()
    sent.length = 0
    clock += 999
    assert.equal(connectorsIn(await snapshots.current({ maxAgeMs: 1000 })).size, 0)
    assert.deepEqual(sent, [])
    clock += 1
    assert.equal(connectorsIn(await snapshots.current({ maxAgeMs: 1000 })).size, 1)
  })

  test('never loads after a version read that is older than maxAgeMs', async () => {
    const { snapshots } = reader()
    const early = snapshots.current()
    await created()
    const late = await snapshots.current()
    await early
    assert.equal(connectorsIn(late).size, 1)
  })
})
