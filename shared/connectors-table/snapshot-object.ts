/**
 * All connectors of one version as an object in S3. A process that starts reads it and the changes since, instead of the
 * whole table: of 100,000 connectors that is one request instead of 54, and an eighth of the processor time. connector-api
 * writes it. A reader does without an object that is missing, or that it cannot read.
 */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import { getObject, type ObjectStore, putObject } from '../aws/object-store.ts'
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
