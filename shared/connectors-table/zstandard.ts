/**
 * Zstandard. A snapshot of 100,000 connectors (63 MiB of JSON) becomes less than half as large as with gzip,
 * at about the same processor time.
 */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'

export const compress = promisify(zstdCompress) as (octets: Uint8Array) => Promise<Buffer>
export const decompress = promisify(zstdDecompress) as (octets: Uint8Array) => Promise<Buffer>
