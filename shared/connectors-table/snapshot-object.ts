/**
 * All connectors of one version as an object in S3. A process that starts reads it and the changes since, instead of the
 * whole table: of 100,000 connectors that is one request instead of 68, and a third of the processor time (bench:connectors).
 * connector-api writes it. A reader does without an object that is missing, or that it cannot read.
 */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import { getObject, type ObjectStore, putObject } from '../aws/object-store.ts'
import { parseJson } from '../contract/parse-json.ts'
import { snapshotKey } from '../contract/snapshot-object.ts'
import type { ConnectorSet } from '../policy/snapshot.ts'
import { compress, decompressed } from './zstandard.ts'

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
 * @param store null: without a bucket
 * @param onFault called with an error because of which the object is not used
 */
export function createSnapshotObject(
  store: ObjectStore | null,
  onFault: (error: Error) => void,
): SnapshotObject | null {
  return (
    store && {
      async read() {
        try {
          const octets = await getObject(store, snapshotKey)
          return octets && (await parseSnapshot(octets))
        } catch (error) {
          onFault(error as Error)
          return null
        }
      },
      async write(set) {
        await putObject(store, snapshotKey, await formatSnapshot(set))
      },
    }
  )
}

/** Uses the Region and the credentials of the table's client. */
export const snapshotStore = (
  { config: { region, credentials } }: DynamoDBDocumentClient,
  { SNAPSHOT_BUCKET, AWS_ENDPOINT_URL_S3: endpoint }: SnapshotVariables,
): ObjectStore | null =>
  SNAPSHOT_BUCKET === undefined ? null : { bucket: SNAPSHOT_BUCKET, region, credentials, endpoint }

interface SnapshotVariables {
  SNAPSHOT_BUCKET?: string | undefined
  AWS_ENDPOINT_URL_S3?: string | undefined
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
  let header: z.output<typeof Header> | null = null
  // The items are not parsed further, because only the repository writes them.
  const items: Record<string, unknown[]> = { inbound: [], outbound: [], acceptedDomains: [] }
  for await (const line of linesOf(octets)) {
    if (header === null) header = Header.parse(parseJson(line))
    else
      for (const [kind, list] of Object.entries(JSON.parse(line) as Record<string, unknown[]>))
        for (const item of list) items[kind]?.push(item)
  }
  const { version, at, counts } = Header.parse(header)
  for (const kind of kinds)
    if (items[kind]?.length !== counts[kind]) throw new Error(`the snapshot lacks items of ${kind}`)
  return { version, at, ...items } as unknown as StoredSet
}

/** Decompresses piece by piece, so that the whole text is never in memory. */
async function* linesOf(octets: Uint8Array): AsyncGenerator<string> {
  let parts: Buffer[] = []
  for await (const chunk of decompressed(octets)) {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]).toString()
      parts = []
      start = end + 1
    }
    parts.push(chunk.subarray(start))
  }
  yield Buffer.concat(parts).toString()
}
