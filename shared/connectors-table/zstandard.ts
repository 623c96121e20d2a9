/**
 * Zstandard. A snapshot of 100,000 connectors (63 MiB of JSON) becomes less than half as large as with gzip,
 * at about the same processor time.
 */
import { PassThrough, pipeline, Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createZstdDecompress, zstdCompress } from 'node:zlib'

export const compress = promisify(zstdCompress) as (octets: Uint8Array) => Promise<Buffer>

const chunkOctets = 262_144

/** Yields the decompressed octets in chunks. @throws when the octets are not complete */
export function decompressed(octets: Uint8Array): AsyncIterable<Buffer> {
  const output = new PassThrough()
  pipeline(Readable.from([octets]), createZstdDecompress({ chunkSize: chunkOctets }), output, () => {})
  return output
}
