import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import type { NewObservation, ObservedEndpoint } from '../../../shared/tls/observed/observation.ts'
import { observedKey } from '../../../shared/transport/keys.ts'
import { ObservedList } from '../../../shared/transport/observed-list.ts'
import { ObservedTable } from '../../../shared/transport/observed-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { minutesLater, receivedAt } from '../../support/fixtures.ts'
import { newObservation, observedCertificate, place } from '../../support/observed.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const inTime = () => AbortSignal.timeout(5_000)
const table = () => new ObservedTable(database.documents, database.transportTable)
const list = (maxReadItems?: number) =>
  new ObservedList(database.documents, database.transportTable, maxReadItems)
const see = (one: NewObservation, by = table()) => by.record(one, one.at, inTime())
const of = (id: string): Partial<ObservedEndpoint> => ({ connector: { id, name: id.toUpperCase() } })

async function itemOf(where: Partial<ObservedEndpoint>) {
  const Key = observedKey(place(where))
  const { Item } = await database.documents.send(new GetCommand({ TableName: database.transportTable, Key }))
  return Item
}

test('a process writes a certificate of one host once an hour', async () => {
  const one = table()
  const kinds: string[] = []
  for (const minutes of [0, 1, 59, 60, 61])
    kinds.push(
      (await see(newObservation(observedCertificate('a'), minutesLater(minutes), of('hourly')), one)).kind,
    )
  assert.deepEqual(kinds, ['Written', 'Known', 'Known', 'Written', 'Known'])
})

test('does not write again what another process has written within the hour', async () => {
  const where = of('twice')
  await see(newObservation(observedCertificate('a'), receivedAt, where))
  const { kind } = await see(newObservation(observedCertificate('a'), minutesLater(10), where))
  assert.deepEqual([kind, (await itemOf(where))?.revision], ['Known', 1])
})

test('only one of several concurrent observers of a new certificate reports the change', async () => {
  const where = of('race')
  await see(newObservation(observedCertificate('a'), receivedAt, where))
  const renewed = newObservation(observedCertificate('b'), minutesLater(120), where)
  const found = await Promise.all(Array.from({ length: 5 }, () => see(renewed)))
  const changes = found.flatMap((one) => (one.kind === 'Written' && one.change ? [one.change.what] : []))
  assert.deepEqual(changes, [['Key']])
})

test('writes at the next observation what could not be written before', async () => {
  const documents = Object.create(database.documents)
  documents.send = () => Promise.reject(new Error('the table is away'))
  const one = new ObservedTable(documents, database.transportTable)
  const seen = newObservation(observedCertificate('a'), receivedAt, of('away'))
  await assert.rejects(see(seen, one), /the table is away/)
  delete documents.send
  assert.equal((await see(seen, one)).kind, 'Written')
})

test("keeps a partner's certificate longer than a year, one without a connector until a month after its expiry", async () => {
  const seen = observedCertificate('a', { notAfter: '2026-02-01T00:00:00.000Z' })
  const unrelated = { connector: null, domain: 'stranger.example', host: 'mx.stranger.example' }
  await see(newObservation(seen, receivedAt, of('kept')))
  await see(newObservation(seen, receivedAt, unrelated))
  const until = async (where: Partial<ObservedEndpoint>) =>
    new Date((await itemOf(where))?.expiresAt * 1000).toISOString().slice(0, 10)
  assert.deepEqual([await until(of('kept')), await until(unrelated)], ['2027-02-19', '2026-03-03'])
})

test('records 500 new hosts a month for each connector', async () => {
  const one = table()
  const kinds = new Map<string, number>()
  for (let index = 0; index < 502; index++) {
    const where = { ...of('many'), host: `mx${index}.bank.example` }
    const { kind } = await see(newObservation(observedCertificate('a'), receivedAt, where), one)
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  assert.deepEqual(Object.fromEntries(kinds), { Written: 500, LimitReached: 2 })
  const known = { ...of('many'), host: 'mx0.bank.example' }
  assert.equal(
    (await see(newObservation(observedCertificate('b'), minutesLater(120), known), one)).kind,
    'Written',
  )
  assert.equal(
    (await see(newObservation(observedCertificate('a'), receivedAt, of('few')), one)).kind,
    'Written',
  )
  const nextMonth = new Date('2026-02-01T00:00:00.000Z')
  const new501 = { ...of('many'), host: 'mx500.bank.example' }
  assert.equal((await see(newObservation(observedCertificate('a'), nextMonth, new501), one)).kind, 'Written')
})

test('names of any length have different keys', () => {
  const keys = ['x'.repeat(5000), 'y'.repeat(5000)].map((host) => observedKey(place({ host })).sk)
  assert.equal(new Set(keys).size, 2)
  for (const sk of keys) assert.ok(Buffer.byteLength(sk) < 1024)
})

test('a page ends when it is full, and the next one continues after it', async () => {
  for (const kind of ['Own', 'PartnerServer', 'PartnerClient'] as const)
    for (const host of ['one.example', 'two.example'])
      await see(newObservation(observedCertificate('a'), receivedAt, { ...of('paged'), kind, host }))
  const found: string[] = []
  let from = null
  do {
    const page: Awaited<ReturnType<ObservedList['page']>> = await list(2).page('paged', () => true, {
      from,
      limit: 2,
      now: receivedAt,
    })
    assert.ok(page.observations.length <= 2)
    found.push(...page.observations.map(({ kind, host }) => `${kind} ${host}`))
    from = page.next
  } while (from)
  assert.deepEqual(found, [
    'Own one.example',
    'Own two.example',
    'PartnerServer one.example',
    'PartnerServer two.example',
    'PartnerClient one.example',
    'PartnerClient two.example',
  ])
})

test('returns the certificate that a connector accepted last, from any of its senders, with its time', async () => {
  assert.equal(await list().lastAccepted('accepting', receivedAt), null)
  const where = { ...of('accepting'), kind: 'PartnerClient' as const }
  await see(newObservation(observedCertificate('a'), minutesLater(5), { ...where, host: 'z.example' }))
  await see(newObservation(observedCertificate('b'), receivedAt, { ...where, host: 'a.example' }))
  const { keyType: _type, publicKeyFingerprint256: _key, ...summary } = observedCertificate('a')
  assert.deepEqual(await list().lastAccepted('accepting', receivedAt), {
    ...summary,
    lastSeen: minutesLater(5).toISOString(),
  })
})
