/** Athena of the local runner, through AWS's client and the project's own, over files that the project's writer made. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import {
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  InvalidRequestException,
  ListQueryExecutionsCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { MailEvent } from '../../../../shared/contract/events.ts'
import { parquetKey } from '../../../../shared/events/event-keys.ts'
import { EventSearch } from '../../../../shared/events/event-search.ts'
import { parquetFile } from '../../../../shared/events/parquet-file.ts'
import {
  bucket,
  database,
  EventSearches,
  stackDefinitions,
  workgroup,
} from '../../../support/local/event-searches.ts'
import { Random } from '../../../support/random.ts'
import { sampleEvents } from '../../../support/sample-events.ts'

// Times must not depend on the time zone of the machine.
process.env.TZ = 'America/New_York'

const searches = await EventSearches.start()
after(() => searches.close())
const { athena, search, emulators } = searches

const hour = '2026-11-30T20'
const time = { from: Date.UTC(2026, 10, 30, 20), to: Date.UTC(2026, 10, 30, 21) }
const rejected: MailEvent = {
  id: '01KB0000000000000000000001',
  at: '2026-11-30T20:59:59.999Z',
  kind: 'Rejected',
  count: 70_000,
  sender: '',
  helo: 'ünïcode "quoted", and\na second line',
  verified: false,
  softwareVersion: '0.2.0',
}
const events: MailEvent[] = [...sampleEvents(300, new Random(1), { ...time, partners: 5 }), rejected]

beforeEach(() => {
  emulators.objects.emptyBucket(bucket)
})

const countOf = (kind: string) => events.filter((event) => event.kind === kind).length

test('a search filters by columns of the files and by day and hour', async () => {
  searches.store(hour, events)
  searches.store('2026-11-30T21', events)
  searches.store('2026-12-01T20', events)
  const rows: [conditions: string, expected: number][] = [
    ["kind = 'Delivered'", 3 * countOf('Delivered')],
    ["kind = 'Delivered' AND day = '2026-11-30'", 2 * countOf('Delivered')],
    ["kind = 'Delivered' AND day = '2026-11-30' AND hour = 21", countOf('Delivered')],
    ["day > '2026-11-30' AND verified", events.filter(({ verified }) => verified).length],
    ["day = '2026-11-30' AND hour = 20 AND count > 1", 1],
    ["day = '2026-11-29'", 0],
  ]
  for (const [conditions, expected] of rows) {
    const { rows: results } = await searches.run(`SELECT count(*) AS n FROM events WHERE ${conditions}`)
    assert.deepEqual(results, [[String(expected)]], conditions)
  }
})

test('a search groups, and its result has the values of the events as text', async () => {
  searches.store(hour, events)
  const { columns, rows } = await searches.run(
    'SELECT partner, kind, count(*) AS Events, sum(size) AS octets FROM events GROUP BY partner, kind ORDER BY partner, kind',
  )
  const groups = Map.groupBy(events, ({ partner, kind }) => `${partner ?? '~'} ${kind}`)
  const expected = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, all]) => [
      all[0]?.partner ?? null,
      all[0]?.kind ?? null,
      String(all.length),
      all[0]?.size === undefined ? null : String(all.reduce((sum, { size = 0 }) => sum + size, 0)),
    ])
  assert.deepEqual(columns, ['partner', 'kind', 'events', 'octets'])
  assert.deepEqual(rows, expected)
})

test('null is absent in the response and empty in the CSV, and an empty text is neither', async () => {
  searches.store(hour, [rejected])
  const { id, rows, status } = await searches.run(
    'SELECT recipient, sender, helo, verified, count, day, hour FROM events',
  )
  assert.deepEqual(rows, [[null, '', rejected.helo ?? '', 'false', '70000', '2026-11-30', '20']])
  assert.equal(
    searches.resultOf(status),
    '"recipient","sender","helo","verified","count","day","hour"\n' +
      ',"","ünïcode ""quoted"", and\na second line","false","70000","2026-11-30","20"\n',
  )
  const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
  assert.deepEqual(ResultSet?.Rows?.[1]?.Data?.slice(0, 2), [{}, { VarCharValue: '' }])
  const single = await searches.run('SELECT recipient FROM events UNION ALL SELECT recipient FROM events')
  assert.deepEqual(single.rows, [[null], [null]])
})

test('times are timestamps without time zone, in UTC', async () => {
  searches.store(hour, [
    { ...rejected, at: '2026-11-30T20:00:00.000Z' },
    { ...rejected, at: '2026-11-30T20:00:00.001Z' },
  ])
  const { rows } = await searches.run('SELECT "at" AS "at" FROM events ORDER BY "at"')
  assert.deepEqual(rows, [['2026-11-30 20:00:00.000'], ['2026-11-30 20:00:00.001']])
  const later = await searches.run(
    `SELECT max("at") AS last, count(*) AS n FROM events WHERE "at" > TIMESTAMP '2026-11-30 20:00:00.000'`,
  )
  assert.deepEqual(later.rows, [['2026-11-30 20:00:00.001', '1']])
})

test('columns whose names are words of SQL are quoted', async () => {
  searches.store(hour, events)
  const { columns, rows } = await searches.run(
    'SELECT "group", count(*) AS n FROM "mailflow_events"."events" WHERE "group" IS NOT NULL GROUP BY "group" ORDER BY "group"',
  )
  assert.deepEqual(columns, ['group', 'n'])
  assert.deepEqual(
    rows.map(([group]) => group),
    ['X25519MLKEM768', 'x25519'],
  )
})

test('files of earlier versions, which lack columns, are in the table with null', async () => {
  const old = parquetWriteBuffer({
    columnData: [
      { name: 'id', data: ['old'], type: 'STRING' },
      { name: 'messageId', data: ['01KB'], type: 'STRING' },
    ],
  })
  const oldKey = parquetKey('2026-11-30T19', { shard: 0, shards: 1 }, '2026-11-30T19')
  emulators.objects.putObject(bucket, oldKey, Buffer.from(old))
  const sql = 'SELECT messageId, helo, "at" AS "at", hour FROM events ORDER BY hour'
  const oldRow = ['01KB', null, null, '19']
  assert.deepEqual((await searches.run(sql)).rows, [oldRow])
  searches.store(hour, [rejected])
  const newRow = [null, rejected.helo ?? '', '2026-11-30 20:59:59.999', '20']
  assert.deepEqual((await searches.run(sql)).rows, [oldRow, newRow])
})

test('a table without files is empty, also without a bucket', async () => {
  const sql = 'SELECT id, "at" AS "at", day, hour FROM events'
  const expected = { columns: ['id', 'at', 'day', 'hour'], rows: [], next: null }
  const { id, status, ...page } = await searches.run(sql)
  assert.deepEqual(page, expected)
  assert.equal(status.resultKey, `searches/${id}.csv`)
  assert.equal(searches.resultOf(status), '"id","at","day","hour"\n')
  assert.equal(status.scannedOctets, 0)
  const definitions = stackDefinitions()
  const tables = definitions.tables.map((table) => ({ ...table, bucket: 'absent' }))
  emulators.setAthenaDefinitions({ ...definitions, tables })
  assert.deepEqual((await searches.run(sql)).rows, [])
  emulators.setAthenaDefinitions(definitions)
})

test('a search reads only the files of the days that its conditions on day allow, and states their octets', async () => {
  const octets = ['2026-11-28', '2026-11-29', '2026-11-30'].map((day, index) =>
    searches.store(`${day}T20`, events.slice(0, 100 * (index + 1))),
  )
  const [first = 0, second = 0, third = 0] = octets
  const rows: [conditions: string, scanned: number][] = [
    ["WHERE day = '2026-11-29'", second],
    ["WHERE day >= '2026-11-29' AND kind = 'Delivered'", second + third],
    ['', first + second + third],
  ]
  for (const [conditions, scanned] of rows) {
    const { status } = await searches.run(`SELECT count(*) AS n FROM events ${conditions}`)
    assert.equal(status.scannedOctets, scanned, conditions)
  }
})

test('a search sees files that were added, replaced or deleted since the last', async () => {
  const run = async () => (await searches.run('SELECT count(*) AS n FROM events')).rows[0]?.[0]
  const counts = [await run()]
  searches.store(hour, events.slice(0, 30))
  counts.push(await run())
  searches.store(hour, events.slice(0, 60))
  counts.push(await run())
  searches.store(hour, events.slice(0, 6), '2026-11-30T22')
  counts.push(await run())
  emulators.objects.emptyBucket(bucket)
  counts.push(await run())
  assert.deepEqual(counts, ['0', '30', '60', '66', '0'])
})

test('a search reads a thousand files', async () => {
  const start = Date.UTC(2026, 9, 1)
  const file = Buffer.from(parquetFile([rejected]))
  for (let number = 0; number < 1000; number++) {
    const hour = new Date(start + number * 3_600_000).toISOString().slice(0, 13)
    emulators.objects.putObject(bucket, parquetKey(hour, { shard: 0, shards: 1 }, hour), file)
  }
  const { rows, status } = await searches.run(
    'SELECT count(*) AS n, count(DISTINCT day) AS days, min(day) AS first, max(day) AS last, sum(hour) AS hours FROM events',
  )
  assert.deepEqual(rows, [['1000', '42', '2026-10-01', '2026-11-11', '11436']])
  assert.equal(status.scannedOctets, 1000 * file.length)
})

test('a result has pages, and the first has the header as a row', async () => {
  searches.store(hour, events)
  const sql = 'SELECT id, helo FROM events ORDER BY id, helo'
  const { id, rows, next } = await searches.run(sql)
  assert.deepEqual([rows.length, next], [events.length, null])
  const pages = []
  let token: string | null = null
  do {
    const page = await search.page(id, token, 140)
    pages.push(page.rows)
    token = page.next
  } while (token !== null)
  assert.deepEqual(
    pages.map(({ length }) => length),
    [140, 140, 21],
  )
  assert.deepEqual(pages.flat(), rows)
  const { ResultSet, NextToken } = await athena.send(
    new GetQueryResultsCommand({ QueryExecutionId: id, MaxResults: 1 }),
  )
  assert.deepEqual(ResultSet?.Rows, [{ Data: [{ VarCharValue: 'id' }, { VarCharValue: 'helo' }] }])
  assert.ok(NextToken)
  const many = await searches.run('SELECT a.id AS id FROM events a CROSS JOIN events b')
  assert.deepEqual([many.rows.length, typeof many.next], [999, 'string'])
})

test('columns have the types of Athena', async () => {
  searches.store(hour, events)
  const { id } = await searches.run(
    `SELECT id, size, count(*) AS n, sum(size) AS total, avg(size) AS mean, verified, max("at") AS last, array_agg(id) AS ids
     FROM events GROUP BY id, size, verified`,
  )
  const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId: id }))
  assert.deepEqual(
    ResultSet?.ResultSetMetadata?.ColumnInfo?.map(({ Name, Type }) => [Name, Type]),
    [
      ['id', 'varchar'],
      ['size', 'integer'],
      ['n', 'bigint'],
      ['total', 'bigint'],
      ['mean', 'double'],
      ['verified', 'boolean'],
      ['last', 'timestamp'],
      ['ids', 'array'],
    ],
  )
})

const refusedSql: [name: string, sql: string, message: RegExp][] = [
  ['a syntax error', 'SELEC 1', /syntax error at or near "SELEC"/],
  ['two statements', 'SELECT 1 AS a; SELECT 2 AS b', /Only one sql statement is allowed/],
  ['a statement that writes', 'DROP TABLE events', /Only SELECT statements/],
]
for (const [name, sql, message] of refusedSql)
  test(`a search with ${name} is refused when it starts`, async () => {
    await assert.rejects(search.start(sql, randomUUID()), (error) => {
      assert.ok(error instanceof InvalidRequestException)
      assert.equal(error.AthenaErrorCode, 'MALFORMED_QUERY')
      assert.match(error.message, message)
      return true
    })
  })

const failingSql: [name: string, sql: string, reason: RegExp][] = [
  ['an unknown column', 'SELECT nothing FROM events', /"nothing" not found/],
  ['an unknown table', 'SELECT 1 AS a FROM nothing', /nothing does not exist/],
  ['an unknown function', 'SELECT nothing(id) AS a FROM events', /nothing does not exist/],
  ['a failing cast', "SELECT CAST('x' AS integer) AS a", /Could not convert string 'x'/],
  ['a file of this machine', "SELECT * FROM read_csv('/etc/hostname')", /disabled by configuration/],
]
for (const [name, sql, reason] of failingSql)
  test(`a search with ${name} fails with its reason, and has no result`, async () => {
    const id = await search.start(sql, randomUUID())
    const status = await searches.end(id)
    assert.equal(status.state, 'Failed')
    assert.match(status.reason ?? '', reason)
    await assert.rejects(
      search.page(id, null),
      /Query did not finish successfully. Final query state: FAILED/,
    )
    assert.deepEqual(emulators.objects.listObjects(bucket).objects, [])
  })

test('SQL may end with a semicolon or a comment', async () => {
  for (const sql of ['SELECT 1 AS n;', 'SELECT 1 AS n ;\n', 'SELECT 1 AS n -- one'])
    assert.deepEqual((await searches.run(sql)).rows, [['1']], sql)
})

test('the same token starts one search, also at the same time, and is refused with other SQL', async () => {
  const token = 'report 7'
  const sql = 'SELECT count(*) AS n FROM events'
  const ids = await Promise.all([1, 2, 3].map(() => search.start(sql, token)))
  ids.push(await search.start(sql, token))
  assert.equal(new Set(ids).size, 1)
  assert.notEqual(await search.start(sql, 'report 8'), ids[0])
  await assert.rejects(search.start('SELECT 1 AS n', token), /Idempotent parameters do not match/)
  await assert.rejects(search.start('SELEC', 'report 9'), /syntax error/)
  assert.ok(await search.start('SELECT 1 AS n', 'report 9'))
})

/** Runs for minutes. */
const slowSql = `WITH numbers AS (SELECT hour FROM events) SELECT count(*) AS n
  FROM numbers a, numbers b, numbers c, numbers d, numbers e, numbers f WHERE a.hour + b.hour <> c.hour * d.hour + e.hour + f.hour`

test('a search that runs or waits can be stopped, and the next one runs', async () => {
  searches.store(hour, events)
  const running = await search.start(slowSql, randomUUID())
  const waiting = await search.start(slowSql, randomUUID())
  const next = await search.start('SELECT count(*) AS n FROM events', randomUUID())
  await assert.rejects(
    search.page(running, null),
    /Query has not yet finished. Current state: (RUNNING|QUEUED)/,
  )
  const states = await Promise.all(
    [waiting, next].map(async (id) => {
      const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId: id }))
      return QueryExecution?.Status?.State
    }),
  )
  assert.deepEqual(states, ['QUEUED', 'QUEUED'])
  for (const id of [running, waiting]) {
    await athena.send(new StopQueryExecutionCommand({ QueryExecutionId: id }))
    const { state, reason } = await searches.end(id)
    assert.deepEqual([state, reason], ['Cancelled', null])
  }
  assert.equal((await searches.end(next)).state, 'Succeeded')
  await athena.send(new StopQueryExecutionCommand({ QueryExecutionId: next }))
  assert.equal((await searches.end(next)).state, 'Succeeded')
})

test('a result that was deleted is an error', async () => {
  const { id, status } = await searches.run('SELECT 1 AS n')
  emulators.objects.deleteObject(bucket, status.resultKey)
  await assert.rejects(search.page(id, null), /Could not find results/)
})

test('requests that Athena refuses get its error', async () => {
  const context = { QueryExecutionContext: { Database: database }, WorkGroup: workgroup }
  const commands = [
    [new GetQueryResultsCommand({ QueryExecutionId: 'unknown' }), /unknown was not found/],
    [new StopQueryExecutionCommand({ QueryExecutionId: 'unknown' }), /unknown was not found/],
    [
      new StartQueryExecutionCommand({ ...context, QueryString: 'SELECT 1', ClientRequestToken: 'short' }),
      /Token/,
    ],
    [new StartQueryExecutionCommand({ ...context, QueryString: ' '.repeat(262_145) }), /QueryString/],
    [
      new StartQueryExecutionCommand({ ...context, QueryString: 'SELECT 1', WorkGroup: 'other' }),
      /other is not found/,
    ],
    [new ListQueryExecutionsCommand({}), /ListQueryExecutions is not supported/],
  ] as const
  for (const [command, message] of commands)
    await assert.rejects(athena.send(command as StopQueryExecutionCommand), (error) => {
      assert.ok(error instanceof InvalidRequestException)
      assert.match(error.message, message)
      return true
    })
  assert.equal(await search.status('unknown'), null)
})

test('errors of the client other than an unknown id are thrown', async () => {
  const failing = new EventSearch(
    { send: async () => Promise.reject(new Error('unreachable')) },
    { workgroup, database },
  )
  await assert.rejects(failing.status('id'), /unreachable/)
})
