import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ObservedTable } from '../../../shared/transport/observed-table.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { certificateFactsWith } from '../../support/fixtures.ts'
import { daysAfter, newObservation, observedCertificate } from '../../support/observed.ts'

const now = new Date('2026-02-10T12:00:00.000Z')
const bank = { id: '01KF0CVZT00000000000000001', name: 'To the bank' }
const clinic = { id: '01KF0CVZT00000000000000002', name: 'To the clinic' }
const clientFacts = certificateFactsWith({ pinned: true })
let database: TestDynamoDb
let call: ReturnType<typeof createTestApi>['call']

before(async () => {
  database = await startDynamoDb()
  call = createTestApi(database.documents, () => now.getTime()).call
  const table = new ObservedTable(database.documents, database.transportTable)
  const expiring = (letter: string, days: number) =>
    observedCertificate(letter, { notAfter: daysAfter(days, now).toISOString() })
  for (const observation of [
    newObservation(expiring('a', 2), daysAfter(-9, now), { connector: bank, host: 'mx1.bank.example' }),
    newObservation(expiring('b', 80), daysAfter(-1, now), { connector: bank, host: 'mx1.bank.example' }),
    newObservation(expiring('c', 10.5), daysAfter(-1, now), { connector: bank, host: 'mx2.bank.example' }),
    {
      ...newObservation(expiring('d', -1.5), daysAfter(-3, now), {
        kind: 'PartnerClient',
        connector: clinic,
        host: 'mx.clinic.example',
      }),
      facts: clientFacts,
    },
  ])
    await table.record(observation, observation.at, AbortSignal.timeout(5_000))
})
after(() => database.stop())

const hostsIn = ({ body }: Awaited<ReturnType<typeof call>>): string[] =>
  body.items.map(({ host }: Record<string, string>) => host)

describe('GET /certificates/observed', () => {
  test('lists every host with its certificates, each with use and days left', async () => {
    const { status, body } = await call('GET /certificates/observed')
    assert.equal(status, 200)
    assert.equal(body.nextCursor, null)
    // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
    const rows = body.items.map(({ connector, host, certificates, changes }: any) => [
      connector.name,
      host,
      // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
      certificates.map(({ fingerprint256, use, daysLeft }: any) => [fingerprint256[0], use, daysLeft]),
      changes.length,
    ])
    assert.deepEqual(rows, [
      [
        'To the bank',
        'mx1.bank.example',
        [
          ['b', 'InUse', 80],
          ['a', 'Superseded', 2],
        ],
        1,
      ],
      ['To the bank', 'mx2.bank.example', [['c', 'InUse', 10]], 0],
      ['To the clinic', 'mx.clinic.example', [['d', 'InUse', -2]], 0],
    ])
  })

  test('lists the facts of a certificate of a client, and null for other certificates', async () => {
    const { body } = await call('GET /certificates/observed')
    assert.deepEqual(
      // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
      body.items.map(({ certificates }: any) => certificates.at(-1).facts),
      [null, null, clientFacts],
    )
  })

  for (const [query, hosts] of [
    [`connector=${clinic.id}`, ['mx.clinic.example']],
    ['connector=01KF0CVZT00000000000000003', []],
    ['expiringWithinDays=30', ['mx2.bank.example', 'mx.clinic.example']],
    ['expiringWithinDays=9', ['mx.clinic.example']],
    [`expiringWithinDays=80&connector=${bank.id}`, ['mx1.bank.example', 'mx2.bank.example']],
  ] as const)
    test(`with ?${query} finds ${hosts.join(', ') || 'no host'}`, async () => {
      assert.deepEqual(hostsIn(await call(`GET /certificates/observed?${query}`)), hosts)
    })

  test('returns pages: nextCursor continues after the last host', async () => {
    const first = await call('GET /certificates/observed?limit=2')
    const second = await call(`GET /certificates/observed?limit=2&cursor=${first.body.nextCursor}`)
    assert.deepEqual([hostsIn(first).length, hostsIn(second)], [2, ['mx.clinic.example']])
    assert.equal(second.body.nextCursor, null)
  })

  test('gets 400 for the cursor of a list with another ?connector', async () => {
    const { body } = await call('GET /certificates/observed?limit=2')
    const response = await call(`GET /certificates/observed?connector=${clinic.id}&cursor=${body.nextCursor}`)
    assert.deepEqual(
      [response.status, response.body.errors],
      [400, [{ path: 'cursor', message: 'belongs to a list of another connector' }]],
    )
  })

  for (const query of [
    'expiringWithinDays=soon',
    'expiringWithinDays=-1',
    'connector=bank',
    'domain=bank.example',
  ])
    test(`gets 400 for ?${query}`, async () => {
      assert.equal((await call(`GET /certificates/observed?${query}`)).status, 400)
    })
})
