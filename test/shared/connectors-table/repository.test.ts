import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { TransactionConflictException } from '@aws-sdk/client-dynamodb'
import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import type { OutboundValidation } from '../../../shared/connectors/validation.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { SnapshotReader } from '../../../shared/connectors-table/snapshot-reader.ts'
import { inboundInput, outboundInput } from '../../support/connectors.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
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
  await emptyTable(database)
  repository = new ConnectorRepository(database.documents, database.connectorsTable, () => clock)
})

/** Creates a connector and asserts that it was saved. */
async function createConnector(changes = {}) {
  const saved = await repository.inbound.create(inboundInput(changes), 'administrator')
  assert(saved.kind === 'Saved', `created, not ${saved.kind}`)
  return saved.value
}

const kindsOf = (outcomes: { kind: string }[]) => outcomes.map(({ kind }) => kind).sort()

function tooLargeInput() {
  const domains = Array.from({ length: 1000 }, (_, n) => `${`${'a'.repeat(60)}.`.repeat(3)}d${n}.example`)
  return { senderDomains: domains, tlsSenderCertificateNames: domains }
}

describe('a connector', () => {
  test('is stored with the given fields, an id, times and version 1', async () => {
    const connector = await createConnector()
    assert.deepEqual(connector, {
      ...inboundInput(),
      id: connector.id,
      createdAt: '2026-03-01T00:00:00.000Z',
      updatedAt: '2026-03-01T00:00:00.000Z',
      version: 1,
    })
    assert.deepEqual(await repository.inbound.get(connector.id), connector)
  })

  test('keeps its id and creation time and gets version 2 when it is replaced', async () => {
    const { id, createdAt } = await createConnector()
    clock += 1000
    const saved = await repository.inbound.replace(id, inboundInput({ comment: 'new' }), [1], 'administrator')
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

  test('is replaced by only one of two concurrent writers that name the same version', async () => {
    const { id } = await createConnector()
    const outcomes = await Promise.all(
      ['one', 'two'].map((comment) =>
        repository.inbound.replace(id, inboundInput({ comment }), [1], 'administrator'),
      ),
    )
    assert.deepEqual(kindsOf(outcomes), ['Saved', 'VersionMismatch'])
    const winner = outcomes.find((outcome) => outcome.kind === 'Saved')
    assert.deepEqual(await repository.inbound.get(id), winner?.kind === 'Saved' && winner.value)
  })

  test('is either replaced or removed, not both, when two concurrent writers name the same version', async () => {
    const { id } = await createConnector()
    const [replaced, removed] = await Promise.all([
      repository.inbound.replace(id, inboundInput({ comment: 'new' }), [1], 'administrator'),
      repository.inbound.remove(id, [1], 'administrator'),
    ])
    assert.equal([replaced.kind === 'Saved', removed.kind === 'Removed'].filter(Boolean).length, 1)
  })

  test('is refused when it is larger than a DynamoDB item may be', async () => {
    const saved = await repository.inbound.create(inboundInput(tooLargeInput()), 'administrator')
    assert.equal(saved.kind, 'TooLarge')
  })
})

describe('the name of a connector', () => {
  test('is refused to a second connector of the same direction, in any letter case', async () => {
    await createConnector({ name: 'Contoso' })
    assert.equal(
      (await repository.inbound.create(inboundInput({ name: 'CONTOSO' }), 'administrator')).kind,
      'NameTaken',
    )
  })

  test('may be shared by an inbound and an outbound connector', async () => {
    await createConnector({ name: 'Contoso' })
    assert.equal(
      (await repository.outbound.create(outboundInput({ name: 'Contoso' }), 'administrator')).kind,
      'Saved',
    )
  })

  test('goes to only one of many connectors that are created at the same time', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => repository.inbound.create(inboundInput(), 'administrator')),
    )
    assert.deepEqual(kindsOf(outcomes), [...Array(7).fill('NameTaken'), 'Saved'])
  })

  test('is free again when its connector is removed or renamed', async () => {
    const { id } = await createConnector({ name: 'A' })
    assert.equal(
      (await repository.inbound.replace(id, inboundInput({ name: 'B' }), [1], 'administrator')).kind,
      'Saved',
    )
    await createConnector({ name: 'A' })
    assert.equal((await repository.inbound.remove(id, [2], 'administrator')).kind, 'Removed')
    await createConnector({ name: 'B' })
  })

  test('stays with a connector that changes only its letter case', async () => {
    const { id } = await createConnector({ name: 'contoso' })
    assert.equal(
      (await repository.inbound.replace(id, inboundInput({ name: 'Contoso' }), [1], 'administrator')).kind,
      'Saved',
    )
    assert.equal(
      (await repository.inbound.create(inboundInput({ name: 'contoso' }), 'administrator')).kind,
      'NameTaken',
    )
  })

  test('is free a minute after a writer reserved it and died before storing the connector, not earlier', async () => {
    const abandoned = { pk: 'inbound-connector-name', sk: 'contoso', owner: 'dead', at: clock }
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: abandoned }))
    assert.equal((await repository.inbound.create(inboundInput(), 'administrator')).kind, 'NameTaken')
    clock += 60_000
    assert.equal((await repository.inbound.create(inboundInput(), 'administrator')).kind, 'Saved')
  })

  test('that was abandoned goes to its new owner also when the SDK repeats the write', async () => {
    const abandoned = { pk: 'inbound-connector-name', sk: 'contoso', owner: 'dead', at: clock - 60_000 }
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: abandoned }))
    const documents = {
      async send(command: PutCommand) {
        const isReservation = command instanceof PutCommand && command.input.Item?.pk === abandoned.pk
        if (isReservation && command.input.ConditionExpression?.includes('abandoned'))
          await database.documents.send(command)
        return database.documents.send(command)
      },
    } as unknown as DynamoDBDocumentClient
    const repeating = new ConnectorRepository(documents, 'connectors', () => clock)
    assert.equal((await repeating.inbound.create(inboundInput(), 'administrator')).kind, 'Saved')
  })

  test('goes to only one of many connectors created at the same time after the writer that reserved it died', async () => {
    const abandoned = { pk: 'inbound-connector-name', sk: 'contoso', owner: 'dead', at: clock - 60_000 }
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: abandoned }))
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => repository.inbound.create(inboundInput(), 'administrator')),
    )
    assert.deepEqual(kindsOf(outcomes), [...Array(7).fill('NameTaken'), 'Saved'])
  })

  test('is free immediately when its connector was too large to be stored', async () => {
    assert.equal(
      (await repository.inbound.create(inboundInput(tooLargeInput()), 'administrator')).kind,
      'TooLarge',
    )
    await createConnector()
  })

  test('stays with an existing connector, at any age', async () => {
    await createConnector()
    clock += 86_400_000
    assert.equal((await repository.inbound.create(inboundInput(), 'administrator')).kind, 'NameTaken')
  })
})

describe('a page of connectors', () => {
  test('has the requested number of connectors and shows whether more follow', async () => {
    for (const name of ['A', 'B', 'C']) await createConnector({ name })
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

  test('shows that none follows when it ends with the last connector', async () => {
    for (const name of ['A', 'B']) await createConnector({ name })
    assert.equal((await repository.inbound.page(null, 2)).last, null)
  })
})

type QueryInput = { ConsistentRead?: boolean; ExpressionAttributeValues?: object }

/** Returns a client that records its commands and fails on request. */
function recordingClient(documents: DynamoDBDocumentClient) {
  const commandNames: string[] = []
  const inputs: QueryInput[] = []
  const faults = new Set<string>()
  const client = {
    send(command: { constructor: { name: string }; input: unknown }) {
      const name = command.constructor.name
      commandNames.push(name)
      inputs.push(command.input as QueryInput)
      return faults.has(name)
        ? Promise.reject(new Error(`${name} failed`))
        : documents.send(command as PutCommand)
    },
  } as unknown as DynamoDBDocumentClient
  return {
    client,
    commandNames,
    inputs,
    faults,
    queries: () => commandNames.filter((name) => name === 'QueryCommand').length,
  }
}

describe('a snapshot reader', () => {
  const reader = () => {
    const recording = recordingClient(database.documents)
    return {
      ...recording,
      snapshots: new SnapshotReader(recording.client, 'connectors', { now: () => clock }),
    }
  }

  test('returns an empty snapshot of version 0 from an empty table', async () => {
    const { acceptedDomains, version } = await reader().snapshots.current()
    assert.deepEqual({ domains: acceptedDomains.size, version }, { domains: 0, version: 0 })
  })

  const writes: { name: string; write: (id: string) => Promise<unknown>; expectedNames: string[] }[] = [
    {
      name: 'creation',
      write: () => repository.inbound.create(inboundInput({ name: 'B' }), 'administrator'),
      expectedNames: ['A', 'B'],
    },
    {
      name: 'replacement',
      write: (id) => repository.inbound.replace(id, inboundInput({ name: 'C' }), 'any', 'administrator'),
      expectedNames: ['C'],
    },
    {
      name: 'removal',
      write: (id) => repository.inbound.remove(id, 'any', 'administrator'),
      expectedNames: [],
    },
  ]
  for (const { name, write, expectedNames } of writes) {
    test(`returns a snapshot with a ${name} as soon as the ${name} was confirmed`, async () => {
      const { id } = await createConnector({ name: 'A' })
      const { snapshots } = reader()
      await snapshots.current()
      await write(id)
      const connectors = connectorsIn(await snapshots.current())
      assert.deepEqual([...connectors.values()].map((connector) => connector.name).sort(), expectedNames)
    })
  }

  test('uses consistent reads, and reads the version before the connectors, and these before the log', async () => {
    await createConnector()
    const { snapshots, commandNames, inputs } = reader()
    await snapshots.current()
    assert.deepEqual(commandNames, ['GetCommand', ...Array(4).fill('QueryCommand')])
    const partitions = inputs.slice(1).map((input) => Object.values(input.ExpressionAttributeValues ?? {})[0])
    assert.deepEqual(partitions, ['inbound-connector', 'outbound-connector', 'accepted-domain', 'changes'])
    assert(inputs.every(({ ConsistentRead }) => ConsistentRead === true))
  })

  test('reads the version again after a failed read, also within maxAgeMs', async () => {
    const { snapshots, faults } = reader()
    faults.add('GetCommand')
    await assert.rejects(snapshots.current({ maxAgeMs: 1000 }))
    faults.clear()
    assert.equal((await snapshots.current({ maxAgeMs: 1000 })).version, 0)
  })

  test('reads only the version, and returns the same snapshot, while nothing has changed', async () => {
    await createConnector()
    const { snapshots, commandNames } = reader()
    const first = await snapshots.current()
    commandNames.length = 0
    assert.equal(await snapshots.current(), first)
    assert.deepEqual(commandNames, ['GetCommand'])
  })

  test('loads the connectors once for concurrent callers', async () => {
    const { snapshots, queries } = reader()
    const results = await Promise.all(Array.from({ length: 5 }, () => snapshots.current()))
    assert.equal(new Set(results).size, 1)
    assert.equal(queries(), 3, 'one query for each kind')
  })

  test('reads only the changes in the log when the version has changed', async () => {
    const { id } = await createConnector({ name: 'A' })
    const { snapshots, commandNames } = reader()
    await snapshots.current()
    await repository.inbound.replace(id, inboundInput({ name: 'C' }), 'any', 'administrator')
    await createConnector({ name: 'B' })
    commandNames.length = 0
    const connectors = connectorsIn(await snapshots.current())
    assert.deepEqual([...connectors.values()].map(({ name }) => name).sort(), ['B', 'C'])
    assert.deepEqual(commandNames, ['GetCommand', 'QueryCommand'])
  })

  test('loads all connectors when the log does not have all changes', async () => {
    await createConnector({ name: 'A' })
    const { snapshots, queries } = reader()
    await snapshots.current()
    await createConnector({ name: 'B' })
    await createConnector({ name: 'C' })
    const lost = { pk: 'changes', sk: '000000000002' }
    await database.documents.send(new DeleteCommand({ TableName: 'connectors', Key: lost }))
    assert.equal(connectorsIn(await snapshots.current()).size, 3)
    assert.equal(queries(), 4 + 3 + 4, 'a load, three reads of the log, a load')
  })

  test('uses what the log has where an item of the last transactions is still the old one', async () => {
    const { id } = await createConnector({ name: 'A' })
    const old = await database.documents.send(
      new GetCommand({ TableName: 'connectors', Key: { pk: 'inbound-connector', sk: id } }),
    )
    await repository.inbound.replace(id, inboundInput({ name: 'B' }), 'any', 'administrator')
    await database.documents.send(new PutCommand({ TableName: 'connectors', Item: old.Item ?? {} }))
    assert.equal(connectorsIn(await reader().snapshots.current()).get(id)?.name, 'B')
  })

  test('loads the connectors of an earlier release, without a log, again after a minute, until the next write', async () => {
    const put = (Item: object) =>
      database.documents.send(new PutCommand({ TableName: 'connectors', Item: { ...Item } }))
    await put({ pk: 'version', sk: 'current', version: 7 })
    const { snapshots } = reader()
    assert.equal((await snapshots.current()).version, 7)
    const domain = (name: string) => ({ pk: 'accepted-domain', sk: name, domain: name, comment: '' })
    await put(domain('ours.example'))
    clock += 59_000
    assert.equal((await snapshots.current()).acceptedDomains.size, 0)
    clock += 1_000
    assert.equal((await snapshots.current()).acceptedDomains.size, 1)
    await createConnector()
    assert.equal((await snapshots.current()).version, 8)
    await put(domain('other.example'))
    clock += 86_400_000
    assert.equal((await snapshots.current()).acceptedDomains.size, 1)
  })

  test('finds connectors beyond the first page of the table', async () => {
    const senderDomains = Array.from(
      { length: 1000 },
      (_, n) => `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.d${n}.example`,
    )
    for (let n = 0; n < 6; n++) await createConnector({ name: `Large ${n}`, senderDomains })
    const { snapshots, queries } = reader()
    assert.equal(connectorsIn(await snapshots.current()).size, 6)
    assert(queries() > 3, 'the table answered in several pages')
  })

  for (const command of ['GetCommand', 'QueryCommand']) {
    test(`throws while a ${command} fails, and returns the current snapshot afterwards`, async () => {
      const { snapshots, faults } = reader()
      await snapshots.current()
      await createConnector()
      faults.add(command)
      await assert.rejects(snapshots.current(), new Error(`${command} failed`))
      faults.clear()
      assert.equal(connectorsIn(await snapshots.current()).size, 1)
    })
  }

  test('reads nothing while its last read of the version is younger than maxAgeMs', async () => {
    const { snapshots, commandNames } = reader()
    await snapshots.current()
    await createConnector()
    commandNames.length = 0
    clock += 999
    assert.equal(connectorsIn(await snapshots.current({ maxAgeMs: 1000 })).size, 0)
    assert.deepEqual(commandNames, [])
    clock += 1
    assert.equal(connectorsIn(await snapshots.current({ maxAgeMs: 1000 })).size, 1)
  })

  test('reads the version again for a caller that arrives while an earlier call is in progress', async () => {
    const { snapshots } = reader()
    const firstSnapshot = snapshots.current()
    await createConnector()
    const secondSnapshot = await snapshots.current()
    await firstSnapshot
    assert.equal(connectorsIn(secondSnapshot).size, 1)
  })
})

test('a validation is not saved while another request changes the connector', async () => {
  const documents = {
    send: () => Promise.reject(new TransactionConflictException({ $metadata: {}, message: 'in progress' })),
  } as unknown as DynamoDBDocumentClient
  const { outbound } = new ConnectorRepository(documents, 'connectors')
  const validation: OutboundValidation = {
    at: '2026-03-01T00:00:00.000Z',
    succeeded: true,
    connectorVersion: 1,
    durationMs: 0,
    steps: [],
  }
  assert.equal(await outbound.saveValidation('01M8Q55H56MTH2EJ1EHN6M1J2W', validation), false)
})
