/** Reads Parquet files of events. */
import { gunzipSync } from 'node:zlib'
import { type Compressors, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import type { EventStore, StoredObject } from './event-store.ts'

/** For readers with hyparquet, which by itself reads snappy only. */
export const compressors: Compressors = { GZIP: (octets) => gunzipSync(octets) }

/** Reads the column `id` of a file, with range requests. */
export async function readIds(
  store: Pick<EventStore, 'get'>,
  object: Pick<StoredObject, 'key' | 'size'>,
): Promise<string[]> {
  const file = rangeReader(store, object)
  const metadata = await parquetMetadataAsync(file)
  const rows = await parquetReadObjects({ file, metadata, columns: ['id'], compressors })
  return rows.map(({ id }) => String(id))
}

/**
 * Reads the rows of a file in which a column has the value: first the column, then the rows. A read of one row costs as much
 * as that of its row group, so the rows of a group are read together.
 */
export async function readRows(
  store: Pick<EventStore, 'get'>,
  object: Pick<StoredObject, 'key' | 'size'>,
  column: string,
  value: string,
): Promise<Record<string, unknown>[]> {
  const file = rangeReader(store, object)
  const metadata = await parquetMetadataAsync(file)
  const values = await parquetReadObjects({ file, metadata, columns: [column], compressors })
  const rows: Record<string, unknown>[] = []
  let end = 0
  for (const group of metadata.row_groups) {
    const start = end
    end += Number(group.num_rows)
    const matching = values.slice(start, end).map((row) => row[column] === value)
    if (!matching.includes(true)) continue
    const rowStart = start + matching.indexOf(true)
    const rowEnd = start + matching.lastIndexOf(true) + 1
    const read = await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors })
    rows.push(...read.filter((row) => row[column] === value))
  }
  return rows
}

/** A file for hyparquet that reads ranges of an object. */
const rangeReader = (store: Pick<EventStore, 'get'>, { key, size }: Pick<StoredObject, 'key' | 'size'>) => ({
  byteLength: size,
  async slice(start: number, end: number = size): Promise<ArrayBuffer> {
    const octets = await store.get(key, [start, end])
    return octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length) as ArrayBuffer
  },
})
