/** Reads Parquet files of events. */
import { gunzipSync } from 'node:zlib'
import { type Compressors, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import type { EventStore, StoredObject } from './event-store.ts'

/** For readers with hyparquet, which by itself reads snappy only. */
export const compressors: Compressors = { GZIP: (octets) => gunzipSync(octets) }

/** Reads the column `id` of a file, with range requests. */
export async function readIds(
  store: Pick<EventStore, 'get'>,
  { key, size }: Pick<StoredObject, 'key' | 'size'>,
): Promise<string[]> {
  const file = {
    byteLength: size,
    async slice(start: number, end: number = size): Promise<ArrayBuffer> {
      const octets = await store.get(key, [start, end])
      return octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length) as ArrayBuffer
    },
  }
  const metadata = await parquetMetadataAsync(file)
  const rows = await parquetReadObjects({ file, metadata, columns: ['id'], compressors })
  return rows.map(({ id }) => String(id))
}
