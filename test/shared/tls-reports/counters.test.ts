import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { type SessionCount, sessionCountsOf } from '../../../shared/tls-reports/applied-policy.ts'
import { type DomainCounts, SessionCounters } from '../../../shared/tls-reports/counters.ts'
import { Tally } from '../../../shared/tls-reports/tally.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { at, noStartTls, session, stsPolicy, wrongName } from '../../support/tls-sessions.ts'

let database: TestDynamoDb
let counters: SessionCounters
before(async () => {
  database = await startDynamoDb()
  counters = new SessionCounters(database.documents, database.transportTable)
})
after(() => database.stop())

const never = new AbortController().signal

async function add(counts: readonly SessionCount[], on: Date, random = 0): Promise<void> {
  const tally = new Tally()
  tally.add(counts, on)
  assert.equal(await counters.add(tally.drain(), random, never), null)
}

async function readDomains(day: string): Promise<DomainCounts[]> {
  return Array.fromAsync(counters.domains(day))
}

const countsFor = (domain: string, counts: SessionCount[]): SessionCount[] =>
  counts.map((count) => ({ ...count, domain, policy: { ...count.policy, domain } }))

const success = sessionCountsOf(session({ mtaSts: stsPolicy('enforce') }), at)
const mismatch = sessionCountsOf(session({ mtaSts: stsPolicy('enforce'), tls: wrongName }), at)
const inTheClear = sessionCountsOf(session({ tls: noStartTls }), at)

test('a tally adds up equal sessions and separates days', () => {
  const tally = new Tally()
  for (const counts of [success, success, mismatch]) tally.add(counts, at)
  tally.add(success, new Date('2026-02-04T00:00:00.000Z'))
  const tallied = tally.drain().map(({ day, failure, sessions }) => [day, failure?.result ?? null, sessions])
  assert.deepEqual(tallied, [
    ['2026-02-03', null, 2],
    ['2026-02-03', 'certificate-host-mismatch', 1],
    ['2026-02-04', null, 1],
  ])
  assert.deepEqual(tally.drain(), [])
})

test('the counts of several writers in several shards are added up for each policy and failure', async () => {
  const day = new Date('2026-03-01T12:00:00.000Z')
  for (const random of [0, 0.3, 0.99]) {
    await add(success, day, random)
    await add(success, day, random)
    await add(mismatch, day, random)
    await add(inTheClear, day, random)
  }
  const [domain, ...others] = await readDomains('2026-03-01')
  assert.deepEqual(others, [])
  assert.equal(domain?.domain, 'partner.example')
  const stored = domain?.policies.map(({ policy, successes, failures, details }) => [
    policy.type,
    successes,
    failures,
    details.map(({ failure, sessions }) => [failure.result, failure.host, failure.ip, sessions]),
  ])
  assert.deepEqual(stored?.sort(), [
    ['no-policy-found', 0, 3, [['starttls-not-supported', 'mx.partner.example', '198.51.100.7', 3]]],
    ['sts', 6, 3, [['certificate-host-mismatch', 'mx.partner.example', '198.51.100.7', 3]]],
  ])
})

test('24 concurrent writers lose no session', async () => {
  const day = new Date('2026-03-05T12:00:00.000Z')
  await Promise.all(
    Array.from({ length: 24 }, (_, writer) =>
      add([...success, ...mismatch, ...inTheClear], day, (writer % 3) / 3),
    ),
  )
  const [domain] = await readDomains('2026-03-05')
  const sums = domain?.policies.map(({ policy, successes, failures, details }) => [
    policy.type,
    successes,
    failures,
    details.reduce((sum, { sessions }) => sum + sessions, 0),
  ])
  assert.deepEqual(sums?.sort(), [
    ['no-policy-found', 0, 24, 24],
    ['sts', 24, 24, 24],
  ])
})

test('each domain is read once, with exactly its own counts from all shards', async () => {
  const day = new Date('2026-03-02T12:00:00.000Z')
  const names = ['b.example', 'a.example', 'a.example.net', 'a-b.example', 'aa.example']
  for (const [index, name] of names.entries()) {
    await add(countsFor(name, success), day, index / 10)
    await add(countsFor(name, mismatch), day, (index + 4) / 10)
  }
  const domains = await readDomains('2026-03-02')
  assert.deepEqual(domains.map(({ domain }) => domain).sort(), [...names].sort())
  for (const { policies } of domains)
    assert.deepEqual(
      policies.map(({ successes, failures }) => [successes, failures]),
      [[1, 1]],
    )
})

test('a domain whose servers and policies never repeat gets fewer than 200 items, and no session is lost', async () => {
  const day = new Date('2026-03-03T12:00:00.000Z')
  const tally = new Tally()
  for (let index = 0; index < 150; index++) {
    const hop = { host: `mx${index}.partner.example`, ip: `198.51.100.${index}` }
    tally.add(sessionCountsOf(session({ hop, tls: noStartTls }), at), day)
    tally.add(
      sessionCountsOf(
        session({ mtaSts: stsPolicy('enforce', [`${index}.example`, hop.host]), tls: wrongName, hop }),
        at,
      ),
      day,
    )
  }
  assert.equal(await counters.add(tally.drain(), 0, never), null)
  const { Items = [] } = await database.documents.send(
    new ScanCommand({
      TableName: database.transportTable,
      FilterExpression: 'begins_with(pk, :day)',
      ExpressionAttributeValues: { ':day': 'sessions#2026-03-03' },
    }),
  )
  assert.ok(Items.length < 200, `${Items.length} items`)
  assert.ok(Items.every(({ expiresAt }) => expiresAt > Date.parse('2026-03-13') / 1000))
  const [domain] = await readDomains('2026-03-03')
  const sum = (numbers: number[] = []) => numbers.reduce((one, other) => one + other, 0)
  assert.equal(sum(domain?.policies.map(({ failures }) => failures)), 300)
  assert.equal(sum(domain?.policies.flatMap(({ details }) => details.map(({ sessions }) => sessions))), 300)
  const results = new Set(
    domain?.policies.flatMap(({ details }) => details.map(({ failure }) => failure.result)),
  )
  assert.deepEqual([...results].sort(), ['certificate-host-mismatch', 'starttls-not-supported'])
})

test('a day without sessions has no domains to report', async () => {
  assert.deepEqual(await readDomains('2026-03-30'), [])
})

test('add() returns an error or timeout of the table, with the number of lost sessions, and does not throw', async () => {
  const missing = new SessionCounters(database.documents, 'no-such-table')
  const tally = new Tally()
  tally.add([...success, ...mismatch], at)
  tally.add(success, at)
  const failedWrites = await missing.add(tally.drain(), 0, never)
  assert.equal(failedWrites?.sessions, 3)
  assert.match(failedWrites?.cause.name ?? '', /ResourceNotFound/)
  tally.add(success, at)
  const lateWrite = await counters.add(tally.drain(), 0, AbortSignal.abort(new Error('too late')))
  assert.equal(lateWrite?.sessions, 1)
})
