import type * as z from 'zod'
import { eventSchemaVersion, MailEvent } from '../../shared/contract/events.ts'
import { type ColumnType, eventColumns } from '../../shared/events/event-columns.ts'
import { idsKey, parquetKey, rawKey, rollupKey, sealKey } from '../../shared/events/event-keys.ts'
import { RollupRow } from '../../shared/events/rollup-row.ts'
import { code, page, table } from './markdown.ts'

const typeNames: Readonly<Record<ColumnType, { parquet: string; athena: string }>> = {
  timestamp: { parquet: 'timestamp, milliseconds, UTC', athena: 'timestamp' },
  integer: { parquet: '32-bit integer', athena: 'int' },
  boolean: { parquet: 'boolean', athena: 'boolean' },
  text: { parquet: 'text', athena: 'string' },
}

/** The values of an enumeration, as text. */
function valuesOf(schema: z.core.$ZodType): string {
  const { def } = schema as z.ZodType
  if (def.type === 'optional') return valuesOf((schema as z.ZodOptional).def.innerType)
  return def.type === 'enum'
    ? (schema as z.ZodEnum).options.map((value) => code(String(value))).join(', ')
    : ''
}

function meaningOf(schema: z.ZodType): string {
  const description = schema.description ?? ''
  const values = valuesOf(schema)
  return [description, values].filter((text) => text !== '').join('. ')
}

const recorded = '2026-11-30T21'
const hour = '2026-11-30T20'
const shard = { shard: 3, shards: 16 }

const layout: readonly (readonly [key: string, content: string])[] = [
  [
    rawKey(recorded, { shard: 3, octets: 5242880 }, '01KB0000000000000000000000'),
    'Events as they were sent, JSON lines, for seven days. The name ends with the octets of the lines. In a small batch the events of all shards are in one object, `shard=mixed`.',
  ],
  [
    parquetKey(hour, shard, recorded),
    'Events that happened at the hour of `date` and `hour`, without copies, sorted by partner and time. Each recorded hour adds at most one file: events that arrive late are in a file of their own.',
  ],
  [
    rollupKey(hour, shard, recorded),
    'The same events, counted. To count the events of an hour, add the rows of all its objects.',
  ],
  [
    sealKey(recorded, shard),
    'Written last: the shard of the recorded hour is sealed. It counts events by kind, dropped copies, late events, and events that are missing.',
  ],
  [idsKey(recorded, shard), 'Ids of the recorded events, 16 octets each, for four days. Seals use them.'],
]

const createTable = [
  'CREATE EXTERNAL TABLE mailflow_events (',
  eventColumns.map(({ name, type }) => `  \`${name}\` ${typeNames[type].athena}`).join(',\n'),
  ')',
  'PARTITIONED BY (day string, hour int)',
  'STORED AS PARQUET',
  "LOCATION 's3://BUCKET/parquet/'",
  'TBLPROPERTIES (',
  "  'projection.enabled' = 'true',",
  "  'projection.day.type' = 'date',",
  "  'projection.day.format' = 'yyyy-MM-dd',",
  "  'projection.day.range' = 'NOW-90DAYS,NOW+1DAYS',",
  "  'projection.hour.type' = 'integer',",
  "  'projection.hour.range' = '0,23',",
  "  'projection.hour.digits' = '2',",
  `  'storage.location.template' = 's3://BUCKET/parquet/date=\${day}/hour=\${hour}/'`,
  ')',
].join('\n')

/** Each query counts deliveries by partner and TLS version on one day. */
export const duckDbQuery = `SELECT partner, tlsVersion, count(*) AS messages, sum(size) AS octets
FROM read_parquet('FOLDER/parquet/**/*.parquet', hive_partitioning = true, union_by_name = true)
WHERE date = '2026-11-30' AND kind = 'Delivered'
GROUP BY ALL ORDER BY messages DESC`

const athenaQuery = `SELECT partner, tlsVersion, count(*) AS messages, sum(size) AS octets
FROM mailflow_events
WHERE day = '2026-11-30' AND kind = 'Delivered'
GROUP BY partner, tlsVersion ORDER BY messages DESC`

const pandas = `import pandas
events = pandas.read_parquet("s3://BUCKET/parquet/date=2026-11-30/")
delivered = events[events["kind"] == "Delivered"]
delivered.groupby(["partner", "tlsVersion"], dropna=False)["size"].agg(["count", "sum"])`

const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``

export const eventsPage = (): string =>
  page(
    'Events',
    '`shared/contract/events.ts` and `shared/events/`',
    `What happened to mail and to the configuration, as Parquet files in the bucket of the output \`EventsBucket\`. The files have version ${eventSchemaVersion} of these columns. A later version may add columns, but removes none and gives none another meaning. All times, dates and hours are UTC. An hour is sealed about seven minutes after its end.`,
    '## Columns',
    'A column that does not apply is null.',
    table(
      ['Column', 'Type', 'Meaning'],
      eventColumns.map(({ name, type }) => [
        code(name),
        typeNames[type].parquet,
        meaningOf(MailEvent.shape[name]),
      ]),
    ),
    '## Objects',
    table(
      ['Key', 'Content'],
      layout.map(([key, content]) => [code(key), content]),
    ),
    'The number of shards depends on the size of the hour: one for a small hour, at most 256.',
    '## Athena',
    'Replace `BUCKET`. Adapt the range of `day` to the setting `eventRetentionDays`. In queries, `"group"` and `"at"` need quotation marks.',
    fence('sql', createTable),
    fence('sql', athenaQuery),
    '## DuckDB',
    'Copy the objects to a folder, with `aws s3 sync s3://BUCKET/parquet/date=2026-11-30 FOLDER/parquet/date=2026-11-30`, or read `s3://` with the extension `httpfs`.',
    fence('sql', duckDbQuery),
    '## pandas',
    fence('python', pandas),
    '## Rollups',
    'JSON, compressed with gzip: `schemaVersion`, `hour`, `seal` and `rows`. Columns without a description are those of the events. At most 5,000 rows of an object have the columns that clients of refused sessions choose; the other refused sessions are counted without them.',
    table(
      ['Column', 'Meaning'],
      Object.entries(RollupRow.shape).map(([name, schema]) => [
        code(name),
        name in MailEvent.shape ? '' : (schema.description ?? ''),
      ]),
    ),
  )
