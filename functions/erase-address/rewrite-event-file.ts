/**
 * Rewrites a Parquet file of events without an address. The file keeps its columns, also those of a later version, its row
 * groups and its order: it is sorted by the domain and not by the address.
 */
import { type FileMetaData, parquetMetadata, parquetRead, parquetReadObjects } from 'hyparquet'
import { type FileFormat, ParquetFileWriter } from '../../shared/events/parquet-file.ts'
import { compressors } from '../../shared/events/read-parquet.ts'
import type { AddressEraser } from '../../shared/mail/erased-address.ts'

export interface RewrittenFile {
  octets: Uint8Array
  /** Number of events that had the address. */
  events: number
}

type Row = Record<string, unknown>

/** Columns that cannot have an address, and are a third of a file. */
const ids: ReadonlySet<string> = new Set(['id', 'messageId'])

/** @returns null if no event has the address */
export async function rewriteEventFile(
  octets: Buffer,
  address: AddressEraser,
): Promise<RewrittenFile | null> {
  const file = octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length) as ArrayBuffer
  const metadata = parquetMetadata(file)
  const columns = metadata.schema.slice(1)
  const texts = columns.filter(({ name, type }) => type === 'BYTE_ARRAY' && !ids.has(name))
  const options = { file, metadata, compressors, utf8: false }
  const names = texts.map(({ name }) => name)
  if (isSearchable(metadata, names) && !(await mayHoldAddress(options, names, address))) return null
  const writer = new ParquetFileWriter({
    schema: metadata.schema as FileFormat['schema'],
    createdBy: metadata.created_by ?? '',
    kvMetadata: metadata.key_value_metadata ?? [],
  })
  let events = 0
  let rowStart = 0
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows)
    const read: Row[] = await parquetReadObjects({ ...options, rowStart, rowEnd })
    rowStart = rowEnd
    const rows = read.map((row) => address.replaceInValue(row))
    events += rows.filter((row, index) => row !== read[index]).length
    writer.write(columns.map(({ name }) => ({ name, data: rows.map((row) => row[name]) })))
  }
  return events === 0 ? null : { octets: writer.finish(), events }
}

/** Encodings in which the octets of a text stand together. */
const plainEncodings: ReadonlySet<string> = new Set(['PLAIN', 'RLE', 'RLE_DICTIONARY'])

/** Whether each page of the columns is compressed and has whole texts, as in the files of this version. */
const isSearchable = ({ row_groups }: FileMetaData, names: readonly string[]): boolean =>
  row_groups
    .flatMap(({ columns }) => columns.map(({ meta_data }) => meta_data))
    .filter((column) => names.includes(column?.path_in_schema[0] ?? ''))
    .every((column) => column?.codec === 'GZIP' && column.encodings.every((each) => plainEncodings.has(each)))

/** Looks into the pages as they are decompressed: a tenth of the time that rows need. */
async function mayHoldAddress(
  options: Pick<Parameters<typeof parquetRead>[0], 'file' | 'metadata' | 'utf8'>,
  columns: string[],
  address: AddressEraser,
): Promise<boolean> {
  let mayHold = false
  const decompress = (octets: Uint8Array, length: number): Uint8Array => {
    const page = (compressors.GZIP as NonNullable<typeof compressors.GZIP>)(octets, length) as Uint8Array
    mayHold ||= address.mayBeIn(page)
    return page
  }
  await parquetRead({ ...options, columns, compressors: { GZIP: decompress } })
  return mayHold
}
