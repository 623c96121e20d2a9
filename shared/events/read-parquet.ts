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

/** Reads the rows of a file in which a column has the value: first the column, then the rows. */
export async function readRows(
  store: Pick<EventStore, 'get'>,
  object: Pick<StoredObject, 'key' | 'size'>,
  column: string,
  value: string,
): Promise<Record<string, unknown>[]> {
  const file = rangeReader(store, object)
  const metadata = await parquetMetadataAsync(file)
  const values = await parquetReadObjects({ file, metadata, columns: [column], compressors })
  const matching = values.flatMap((row, index) => (row[column] === value ? [index] : []))
  const rows = await Promise.all(
    matching.map((index) =>
      parquetReadObjects({ file, metadata, rowStart: index, rowEnd: index + 1, compressors }),
    ),
  )
  return rows.flat()
}

/** A file for hyparquet that reads ranges of an object. */
const rangeReader = (store: Pick<EventStore, 'get'>, { key, size }: Pick<StoredObject, 'key' | 'size'>) => ({
  byteLength: size,
  async slice(start: number, end: number = size): Promise<ArrayBuffer> {
    const octets = await store.get(key, [start, end])
    return octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length) as ArrayBuffer
  },
})
