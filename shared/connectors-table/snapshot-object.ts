/**
 * All connectors of one version as an object in S3. A process that starts reads it and the changes since, instead of the
 * whole table: of 100,000 connectors that is one request instead of 54, and an eighth of the processor time. connector-api
 * writes it. A reader does without an object that is missing, or that it cannot read.
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import * as z from 'zod'
import { parseJson } from '../contract/parse-json.ts'
import { snapshotKey } from '../contract/snapshot-object.ts'
import type { ConnectorSet } from '../policy/snapshot.ts'
import { compress, decompress } from './zstandard.ts'

/** Changes when an earlier release could not read the object. */
const format = 1

const kinds = ['inbound', 'outbound', 'acceptedDomains'] as const

/** The first line. Each further line is a list of connectors of one kind, so that none is a very long text. */
const Header = z.object({
  format: z.literal(format),
  version: z.int().positive(),
  at: z.string(),
  counts: z.object({ inbound: z.int(), outbound: z.int(), acceptedDomains: z.int() }),
})

const itemsPerLine = 1000

export interface StoredSet extends ConnectorSet {
  /** The time of the last change, which tells the log that continues the set from another one. */
  at: string
}

export interface SnapshotObject {
  /** @returns null when there is no object, or none that this release can read */
  read(): Promise<StoredSet | null>
  write(set: StoredSet): Promise<void>
}

/**
 * @param onFault called with an error because of which the object is not used
 * @returns null without a bucket
 */
export function createSnapshotObject(
  bucket: string | undefined,
  config: S3ClientConfig,
  onFault: (error: Error) => void,
): SnapshotObject | null {
  if (bucket === undefined) return null
  // Only a process with many connectors needs the client, which takes time to load.
  const connect = async () => {
    const s3 = await import('@aws-sdk/client-s3')
    return { ...s3, client: new s3.S3Client(config) }
  }
  let connection: ReturnType<typeof connect> | null = null
  const connected = () => {
    connection ??= connect()
    return connection
  }
  return {
    async read() {
      const { client, GetObjectCommand } = await connected()
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: snapshotKey }))
        return await parseSnapshot((await Body?.transformToByteArray()) ?? new Uint8Array())
      } catch (error) {
        if ((error as Error).name !== 'NoSuchKey') onFault(error as Error)
        return null
      }
    },
    async write(set) {
      const { client, PutObjectCommand } = await connected()
      const Body = await formatSnapshot(set)
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: snapshotKey, Body }))
    },
  }
}

export async function formatSnapshot(set: StoredSet): Promise<Buffer> {
  const counts = Object.fromEntries(kinds.map((kind) => [kind, set[kind].length]))
  const lines = [JSON.stringify({ format, version: set.version, at: set.at, counts })]
  for (const kind of kinds)
    for (let start = 0; start < set[kind].length; start += itemsPerLine)
      lines.push(JSON.stringify({ [kind]: set[kind].slice(start, start + itemsPerLine) }))
  return compress(Buffer.from(lines.join('\n')))
}

/** @throws Error for an object that is not complete, or of another format */
export async function parseSnapshot(octets: Uint8Array): Promise<StoredSet> {
  const [first, ...lines] = linesOf(await decompress(octets))
  const { version, at, counts } = Header.parse(parseJson(first?.() ?? ''))
  // The items are not parsed further, because only the repository writes them.
  const items: Record<string, unknown[]> = { inbound: [], outbound: [], acceptedDomains: [] }
  for (const line of lines)
    for (const [kind, list] of Object.entries(JSON.parse(line()) as Record<string, unknown[]>))
      for (const item of list) items[kind]?.push(item)
  for (const kind of kinds)
    if (items[kind]?.length !== counts[kind]) throw new Error(`the snapshot lacks items of ${kind}`)
  return { version, at, ...items } as unknown as StoredSet
}

/** Returns functions, so that one line at a time becomes a text. */
function linesOf(octets: Buffer): (() => string)[] {
  const lines: (() => string)[] = []
  for (let start = 0; start <= octets.length; ) {
    const found = octets.indexOf(0x0a, start)
    const [from, end] = [start, found < 0 ? octets.length : found]
    lines.push(() => octets.toString('utf8', from, end))
    start = end + 1
  }
  return lines
}
