import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  type QueryCommand,
} from '@aws-sdk/lib-dynamodb'
import {
  changesBetween,
  type LoggedChange,
  readChanges,
} from '../../../shared/connectors-table/change-log.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { createVersionReader, versionKeys } from '../../../shared/connectors-table/version.ts'
import { inboundInput, outboundInput } from '../../support/connectors.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const administrator = 'arn:aws:iam::123456789012:user/administrator'
const start = Date.parse('2026-03-01T00:00:00Z')

let database: TestDynamoDb
let clock = start
let repository: ConnectorRepository

before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())
beforeEach(async () => {
  clock = start
  await emptyTable(database)
  repository = new ConnectorRepository(database.documents, database.connectorsTable, () => clock)
})

const everyChange = (span: Partial<Parameters<typeof readChanges>[2]> = {}): Promise<LoggedChange[]> =>
  Array.fromAsync(readChanges(database.documents, 'connectors', { from: 1, to: 999, ...span }))

async function create(name: string, fields = {}) {
  const saved = await repository.inbound.create(inboundInput({ name, ...fields }), administrator)
  assert(saved.kind === 'Saved')
  return saved.value
}

const versions = () =>
  Promise.all(
    versionKeys.map(async (Key) => {
      const { Item } = await database.documents.send(new GetCommand({ TableName: 'connectors', Key }))
      return Item?.version
    }),
  )

describe('the log of changes', () => {
  test('has each write with its time and actor, and only the fields that changed', async () => {
    const { id, ...created } = await create('Contoso')
    clock += 1000
    await repository.inbound.replace(id, inboundInput({ name: 'Fabrikam', requireTls: false }), [1], 'ada')
    clock += 1000
    await repository.inbound.remove(id, 'any', administrator)
    const changes = await everyChange()
    const [creation, change, deletion] = changes
    assert.deepEqual(creation, {
      version: 1,
      at: '2026-03-01T00:00:00.000Z',
      actor: administrator,
      kind: 'inbound-connector',
      key: id,
      name: 'Contoso',
      before: null,
      after: { id, ...created },
      item: { id, ...created },
    })
    assert.deepEqual(
      [change?.version, change?.at, change?.actor, change?.name, change?.before, change?.after],
      [
        2,
        '2026-03-01T00:00:01.000Z',
        'ada',
        'Fabrikam',
        { name: 'Contoso', requireTls: true },
        { name: 'Fabrikam', requireTls: false },
      ],
    )
    assert.deepEqual(
      [deletion?.name, deletion?.before?.name, deletion?.after, deletion?.item],
      ['Fabrikam', 'Fabrikam', null, null],
    )
    assert.equal(changes.length, 3)
    assert.deepEqual(await everyChange({ isNewestFirst: true }), changes.toReversed())
    assert.deepEqual(
      (await everyChange({ from: 2, to: 2 })).map(({ version }) => version),
      [2],
    )
  })

  test('has no validation, and a list of recipients without its addresses', async () => {
    const saved = await repository.outbound.create(outboundInput(), administrator)
    assert(saved.kind === 'Saved')
    const validation = {
      at: '2026-03-01T00:00:00.000Z',
      succeeded: true,
      connectorVersion: 1,
      durationMs: 1,
      steps: [],
    }
    assert.ok(await repository.outbound.saveValidation(saved.value.id, validation))
    await repository.outbound.replace(saved.value.id, outboundInput({ comment: 'new' }), 'any', administrator)
    await repository.acceptedDomains.create('ours.example', { recipients: 'Any', comment: '' }, administrator)
    const domain = await repository.acceptedDomains.get('ours.example')
    assert(domain)
    const version = await repository.recipientLists.write('ours.example', ['secret-person'])
    const listed = await repository.acceptedDomains.setRecipientList(
      domain,
      { version, addresses: 1 },
      administrator,
    )
    assert(listed.kind === 'Saved')
    await repository.acceptedDomains.setRecipientList(listed.value, undefined, administrator)
    const changes = await everyChange()
    const list = { version, addresses: 1, updatedAt: '2026-03-01T00:00:00.000Z' }
    assert.deepEqual(
      changes.slice(1).map(({ before, after }) => [before, before && after]),
      [
        [{ comment: '' }, { comment: 'new' }],
        [null, null],
        [{}, { recipientList: list }],
        [{ recipientList: list }, {}],
      ],
    )
    assert.doesNotMatch(JSON.stringify(changes), /validation|secret-person/)
  })

  test('has nothing for a write that changes nothing, or that is refused', async () => {
    const { id } = await create('Contoso')
    const replace = (expected: number[]) =>
      repository.inbound.replace(id, inboundInput({ name: 'Contoso' }), expected, administrator)
    assert.equal((await replace([1])).kind, 'Saved')
    assert.equal((await replace([2])).kind, 'VersionMismatch')
    const domain = { recipients: 'Any', comment: '' } as const
    await repository.acceptedDomains.create('ours.example', domain, administrator)
    const again = await repository.acceptedDomains.create('ours.example', domain, administrator)
    assert.equal(again.kind, 'VersionMismatch')
    assert.equal((await everyChange()).length, 2)
    assert.deepEqual(new Set(await versions()), new Set([2]))
  })

  test('has the fields of the largest connectors before and after', async () => {
    const domains = (letter: string, count: number) =>
      Array.from({ length: count }, (_, n) => `${`${letter.repeat(60)}.`.repeat(3)}d${n}.example`)
    const fields = (letter: string) => ({
      senderDomains: domains(letter, 1000),
      tlsSenderCertificateNames: domains(letter, 900),
    })
    const { id } = await create('Large', fields('a'))
    const input = inboundInput({ name: 'Large', ...fields('b') })
    const saved = await repository.inbound.replace(id, input, [1], administrator)
    assert(saved.kind === 'Saved')
    await create('Small')
    for (const changes of [await everyChange(), (await everyChange({ isNewestFirst: true })).toReversed()]) {
      assert.deepEqual(
        changes.map(({ version }) => version),
        [1, 2, 3],
      )
      assert.deepEqual(changes[1]?.item, { ...saved.value })
      assert.deepEqual(changes[1]?.before, fields('a'))
      assert.deepEqual(changes[1]?.after, fields('b'))
    }
  })

  test('has each of many concurrent writes, each with its own version', async () => {
    const names = Array.from({ length: 16 }, (_, n) => `Connector ${n}`)
    await Promise.all(names.map((name) => create(name)))
    const changes = await everyChange()
    assert.deepEqual(
      changes.map(({ version }) => version),
      names.map((_, index) => index + 1),
    )
    assert.deepEqual(changes.map(({ name }) => name).sort(), names.sort())
    assert.deepEqual(new Set(await versions()), new Set([16]))
  })

  test('has times that do not decrease, although the clocks of two writers differ', async () => {
    await create('A')
    clock -= 5000
    await create('B')
    clock += 6000
    await create('C')
    assert.deepEqual(
      (await everyChange()).map(({ at }) => at.slice(17)),
      ['00.000Z', '00.000Z', '01.000Z'],
    )
  })
})

describe('the changes of a period', () => {
  test('are those from its first time to before its last, at any position of the log', async () => {
    const count = 20
    for (let n = 0; n < count; n++) {
      clock = start + n * 1000
      await create(`Connector ${n}`)
    }
    for (const [since, until] of [
      [-5, 100],
      [0, 1],
      [7, 12],
      [6.5, 7.5],
      [19, 20],
      [20, 30],
      [-9, 0],
    ] as const) {
      const at = (seconds: number) => new Date(start + seconds * 1000)
      const found = await changesBetween(database.documents, 'connectors', at(since), at(until))
      const expected = Array.from({ length: count }, (_, n) => n).filter((n) => n >= since && n < until)
      assert.deepEqual(
        found.map(({ version }) => version - 1),
        expected,
        `${since} to ${until}`,
      )
    }
  })

  test('are found with about 20 small queries in a log of a million changes', async () => {
    let queries = 0
    const log = {
      async send({ input }: QueryCommand) {
        queries++
        if (input.Limit !== 1) return { Items: [] }
        const low = Number(input.ExpressionAttributeValues?.[':low'])
        const version = input.ScanIndexForward === false ? 1_000_000 : low
        const item = { sk: String(version).padStart(12, '0'), at: new Date(version * 1000).toISOString() }
        return { Items: version <= 1_000_000 ? [item] : [] }
      },
    } as unknown as DynamoDBDocumentClient
    await changesBetween(log, 'connectors', new Date(700_000_500), new Date(700_009_000))
    assert.ok(queries > 2 && queries <= 22, `${queries} queries`)
  })

  test('of an empty log are none', async () => {
    assert.deepEqual(await changesBetween(database.documents, 'connectors', new Date(0), new Date(start)), [])
  })
})

describe('the version', () => {
  test('has copies of which each is read equally often, and each write changes all', async () => {
    await create('A')
    const keys: string[] = []
    const recording = {
      send(command: GetCommand) {
        keys.push(String(command.input.Key?.pk))
        return database.documents.send(command)
      },
    } as unknown as DynamoDBDocumentClient
    let next = 0
    const read = createVersionReader(recording, 'connectors', () => (next++ % 80) / 80)
    for (let n = 0; n < 80; n++) assert.equal(await read(), 1)
    const counts = Map.groupBy(keys, (key) => key)
    assert.deepEqual(
      [...counts.values()].map(({ length }) => length),
      Array(versionKeys.length).fill(10),
    )
  })

  test('of a table that an earlier release wrote last is that of its only copy', async () => {
    await create('A')
    for (const Key of versionKeys.slice(1))
      await database.documents.send(new DeleteCommand({ TableName: 'connectors', Key }))
    for (const random of [0, 0.5, 0.99])
      assert.equal(await createVersionReader(database.documents, 'connectors', () => random)(), 1)
  })
})
