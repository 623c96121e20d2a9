/** Writes Parquet files of events. */
import { gzipSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { eventSchemaVersion } from '../contract/events.ts'
import { softwareVersion } from '../contract/software-version.ts'
import { type ColumnType, columnValue, type EventColumn, eventColumns } from './event-columns.ts'

/**
 * Rows of a row group. Readers skip the groups without their partner, and read whole groups, of about 1 MB in all
 * columns.
 */
const rowsPerGroup = 20_000

/**
 * Athena, DuckDB, pandas and hyparquet read gzip. Files are a third smaller than with snappy, and are written faster: snappy
 * would be JavaScript, and gzip is a part of Node.
 */
const codec = 'GZIP'

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number]

const schemaElements: Readonly<Record<ColumnType, Omit<SchemaElement, 'name'>>> = {
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
  integer: { type: 'INT32' },
  boolean: { type: 'BOOLEAN' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
}

const schema: SchemaElement[] = [
  { name: 'event', num_children: eventColumns.length },
  ...eventColumns.map(
    ({ name, type, isOptional }): SchemaElement => ({
      name,
      ...schemaElements[type],
      repetition_type: isOptional ? 'OPTIONAL' : 'REQUIRED',
    }),
  ),
]

/**
 * @param events the events in the order of the file; each is read once
 * @returns the octets, always the same for the same events
 */
export function parquetFile(events: Iterable<Record<string, unknown>>): Uint8Array {
  const writer = new ByteWriter()
  const file = new ParquetWriter({
    writer,
    schema,
    codec,
    compressors: { GZIP: (octets) => gzipSync(octets) },
    createdBy: `mailflow version ${softwareVersion}`,
    kvMetadata: [
      { key: 'eventSchemaVersion', value: String(eventSchemaVersion) },
      { key: 'softwareVersion', value: softwareVersion },
    ],
  })
  let group: Record<string, unknown>[] = []
  const writeGroup = () => {
    const columnData = eventColumns.map((column) => ({ name: column.name, data: valuesOf(group, column) }))
    file.write({ columnData, rowGroupSize: rowsPerGroup })
    group = []
  }
  for (const event of events) {
    group.push(event)
    if (group.length === rowsPerGroup) writeGroup()
  }
  if (group.length > 0) writeGroup()
  file.finish()
  return writer.getBytes()
}

/** A required column of text is never absent in a stored event, except in one of another writer. */
const valuesOf = (events: readonly Record<string, unknown>[], column: EventColumn) =>
  events.map((event) => columnValue(event, column) ?? (column.isOptional ? null : ''))
