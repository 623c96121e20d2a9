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

/** What a file has besides its rows. */
export interface FileFormat {
  /** The root, then a column each. */
  schema: SchemaElement[]
  createdBy: string
  kvMetadata: { key: string; value?: string }[]
}

/** The format of the files of this version. */
const currentFormat: FileFormat = {
  schema: [
    { name: 'event', num_children: eventColumns.length },
    ...eventColumns.map(
      ({ name, type, isOptional }): SchemaElement => ({
        name,
        ...schemaElements[type],
        repetition_type: isOptional ? 'OPTIONAL' : 'REQUIRED',
      }),
    ),
  ],
  createdBy: `mailflow version ${softwareVersion}`,
  kvMetadata: [
    { key: 'eventSchemaVersion', value: String(eventSchemaVersion) },
    { key: 'softwareVersion', value: softwareVersion },
  ],
}

/** Values of a row group, by column. */
type ColumnData = { name: string; data: unknown[] }[]

/** Writes a file row group by row group. */
export class ParquetFileWriter {
  readonly #octets = new ByteWriter()
  readonly #file: ParquetWriter

  constructor({ schema, createdBy, kvMetadata }: FileFormat = currentFormat) {
    this.#file = new ParquetWriter({
      writer: this.#octets,
      schema,
      codec,
      compressors: { GZIP: (octets) => gzipSync(octets) },
      createdBy,
      kvMetadata,
    })
  }

  /** @param columnData of at most `rowsPerGroup` rows, with the columns in the order of the schema */
  write(columnData: ColumnData): void {
    this.#file.write({ columnData, rowGroupSize: rowsPerGroup })
  }

  finish(): Uint8Array {
    this.#file.finish()
    return this.#octets.getBytes()
  }
}

/**
 * @param events the events in the order of the file; each is read once
 * @returns the octets, always the same for the same events
 */
export function parquetFile(events: Iterable<Record<string, unknown>>): Uint8Array {
  const file = new ParquetFileWriter()
  let group: Record<string, unknown>[] = []
  const writeGroup = () => {
    file.write(eventColumns.map((column) => ({ name: column.name, data: valuesOf(group, column) })))
    group = []
  }
  for (const event of events) {
    group.push(event)
    if (group.length === rowsPerGroup) writeGroup()
  }
  if (group.length > 0) writeGroup()
  return file.finish()
}

/** A required column of text is never absent in a stored event, except in one of another writer. */
const valuesOf = (events: readonly Record<string, unknown>[], column: EventColumn) =>
  events.map((event) => columnValue(event, column) ?? (column.isOptional ? null : ''))
