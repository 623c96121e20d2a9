import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import type { NewObservation, ObservedEndpoint } from '../../../shared/tls/observed/observation.ts'
import { observedKey } from '../../../shared/transport/keys.ts'
import { ObservedList } from '../../../shared/transport/observed-list.ts'
import { ObservedTable } from '../../../shared/transport/observed-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { minutesLater, receivedAt } from '../../support/fixtures.ts'
import { newObservation, observedCertificate, observedEndpoint } from '../../support/observed.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const inTime = () => AbortSignal.timeout(5_000)
const table = () => new ObservedTable(database.documents, database.transportTable)
const list = (maxReadItems?: number) =>
  new ObservedList(database.documents, database.transportTable, maxReadItems)
const record = (observation: NewObservation, by = table()) => by.record(observation, observation.at, inTime())
const withConnector = (id: string): Partial<ObservedEndpoint> => ({
  connector: { id, name: id.toUpperCase() },
})

async function itemOf(where: Partial<ObservedEndpoint>) {
  const Key = observedKey(observedEndpoint(where))
  const { Item } = await database.documents.send(new GetCommand({ TableName: database.transportTable, Key }))
  return Item
}

test('the table of observed certificates gets a certificate of one host once per hour from one process', async () => {
  const writer = table()
  const kinds: string[] = []
  for (const minutes of [0, 1, 59, 60, 61])
    kinds.push(
      (
        await record(
          newObservation(observedCertificate('a'), minutesLater(minutes), withConnector('hourly')),
          writer,
        )
      ).kind,
    )
  assert.deepEqual(kinds, ['Written', 'Known', 'Known', 'Written', 'Known'])
})

test('a process does not write a certificate that another process has written within the hour', async () => {
  const where = withConnector('twice')
  await record(newObservation(observedCertificate('a'), receivedAt, where))
  const { kind } = await record(newObservation(observedCertificate('a'), minutesLater(10), where))
  assert.deepEqual([kind, (await itemOf(where))?.revision], ['Known', 1])
})

test('only one of five concurrent observers of a changed certificate gets the change', async () => {
  const where = withConnector('race')
  await record(newObservation(observedCertificate('a'), receivedAt, where))
  const renewed = newObservation(observedCertificate('b'), minutesLater(120), where)
  const results = await Promise.all(Array.from({ length: 5 }, () => record(renewed)))
  const changes = results.flatMap((result) =>
    result.kind === 'Written' && result.change ? [result.change.what] : [],
  )
  assert.deepEqual(changes, [['Key']])
})

test('a certificate that could not be written is written at its next observation', async () => {
  const documents = Object.create(database.documents)
  documents.send = () => Promise.reject(new Error('the table is away'))
  const writer = new ObservedTable(documents, database.transportTable)
  const presented = newObservation(observedCertificate('a'), receivedAt, withConnector('away'))
  await assert.rejects(record(presented, writer), /the table is away/)
  delete documents.send
  assert.equal((await record(presented, writer)).kind, 'Written')
})

test("the item of a partner's certificate expires after more than a year, that of a certificate without a connector a month after the certificate", async () => {
  const presented = observedCertificate('a', { notAfter: '2026-02-01T00:00:00.000Z' })
  const unrelated = { connector: null, domain: 'unrelated.example', host: 'mx.unrelated.example' }
  await record(newObservation(presented, receivedAt, withConnector('kept')))
  await record(newObservation(presented, receivedAt, unrelated))
  const until = async (where: Partial<ObservedEndpoint>) =>
    new Date((await itemOf(where))?.expiresAt * 1000).toISOString().slice(0, 10)
  assert.deepEqual([await until(withConnector('kept')), await until(unrelated)], ['2027-02-19', '2026-03-03'])
})

test('at most 500 new hosts per month are written for each connector, and known hosts without a limit', async () => {
  const writer = table()
  const kinds = new Map<string, number>()
  for (let index = 0; index < 502; index++) {
    const where = { ...withConnector('many'), host: `mx${index}.bank.example` }
    const { kind } = await record(newObservation(observedCertificate('a'), receivedAt, where), writer)
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  assert.deepEqual(Object.fromEntries(kinds), { Written: 500, LimitReached: 2 })
  const knownHost = { ...withConnector('many'), host: 'mx0.bank.example' }
  assert.equal(
    (await record(newObservation(observedCertificate('b'), minutesLater(120), knownHost), writer)).kind,
    'Written',
  )
  assert.equal(
    (await record(newObservation(observedCertificate('a'), receivedAt, withConnector('few')), writer)).kind,
    'Written',
  )
  const nextMonth = new Date('2026-02-01T00:00:00.000Z')
  const new501 = { ...withConnector('many'), host: 'mx500.bank.example' }
  assert.equal(
    (await record(newObservation(observedCertificate('a'), nextMonth, new501), writer)).kind,
    'Written',
  )
})

test('observedKey returns different keys of less than 1024 octets for two names of 5000 characters', () => {
  const keys = ['x'.repeat(5000), 'y'.repeat(5000)].map((host) => observedKey(observedEndpoint({ host })).sk)
  assert.equal(new Set(keys).size, 2)
  for (const sk of keys) assert.ok(Buffer.byteLength(sk) < 1024)
})

test('a page of observed certificates ends at its limit, and the next page continues after it', async () => {
  for (const kind of ['Own', 'PartnerServer', 'PartnerClient'] as const)
    for (const host of ['one.example', 'two.example'])
      await record(
        newObservation(observedCertificate('a'), receivedAt, { ...withConnector('paged'), kind, host }),
      )
  const results: string[] = []
  let from = null
  do {
    const page: Awaited<ReturnType<ObservedList['page']>> = await list(2).page('paged', () => true, {
      from,
      limit: 2,
      now: receivedAt,
    })
    assert.ok(page.observations.length <= 2)
    results.push(...page.observations.map(({ kind, host }) => `${kind} ${host}`))
    from = page.next
  } while (from)
  assert.deepEqual(results, [
    'Own one.example',
    'Own two.example',
    'PartnerServer one.example',
    'PartnerServer two.example',
    'PartnerClient one.example',
    'PartnerClient two.example',
  ])
})

test('lastAccepted returns the certificate that a connector accepted last, from any of its senders, with the time', async () => {
  assert.equal(await list().lastAccepted('accepting', receivedAt), null)
  const where = { ...withConnector('accepting'), kind: 'PartnerClient' as const }
  await record(newObservation(observedCertificate('a'), minutesLater(5), { ...where, host: 'z.example' }))
  await record(newObservation(observedCertificate('b'), receivedAt, { ...where, host: 'a.example' }))
  assert.deepEqual(await list().lastAccepted('accepting', receivedAt), {
    ...observedCertificate('a'),
    lastSeen: minutesLater(5).toISOString(),
  })
})
