/**
 * Observes every request to the emulators of AWS in this process, and every invocation of a function. It reads what
 * Node's HTTP servers receive and send, so neither the units nor the emulators know of it. Each answer is delayed as if
 * it came from a Region (`latencies.ts`).
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type AttributeValue, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import type { MeasuredInvocation } from '../../../infra/local/lambda/function.ts'
import {
  type AwsCall,
  type CallPart,
  readCall,
  readSignature,
  type Signature,
  sharedPartition,
  writePart,
} from './aws-call.ts'
import { type IndexDefinition, type Item, indexEntry, indexWriteUnits, itemOctets } from './item-size.ts'
import { keyPattern } from './key-pattern.ts'
import { latenciesMs } from './latencies.ts'

export interface CallObserver {
  onCall(signature: Signature, parts: readonly CallPart[]): void
  onInvocation(invocation: MeasuredInvocation): void
  /** A request could not be read. */
  onFailure(error: Error): void
}

/** The access key of the recorder's own requests, which are not observed. */
export const recorderKey = 'recorder'

const invocationChannel = 'mailflow:invocation'
const requestChannel = 'http.server.request.start'

/** @returns a function that stops the observation; later answers are not delayed */
export function startRecorder(
  indexes: ReadonlyMap<string, readonly IndexDefinition[]>,
  observer: CallObserver,
): () => void {
  const items = new ItemMirror(indexes)
  const onRequest = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    const signature = readSignature(request.headers)
    if (signature === null || signature.accessKey === recorderKey || !(signature.service in latenciesMs))
      return
    observe(request, response, signature, items, observer)
  }
  const onInvocation = (message: unknown) => observer.onInvocation(message as MeasuredInvocation)
  subscribe(requestChannel, onRequest)
  subscribe(invocationChannel, onInvocation)
  return () => {
    unsubscribe(requestChannel, onRequest)
    unsubscribe(invocationChannel, onInvocation)
    items.close()
  }
}

function observe(
  request: IncomingMessage,
  response: ServerResponse,
  signature: Signature,
  items: ItemMirror,
  observer: CallObserver,
): void {
  // The bodies of S3 and SES are content; only their number of octets counts. A form is short enough to be read.
  const keepsBody = signature.service !== 's3'
  const received = collect(keepsBody)
  const sent = collect(keepsBody)
  const push = request.push
  request.push = function (this: Readable, chunk: unknown, encoding?: BufferEncoding) {
    received.add(chunk, encoding)
    return push.call(this, chunk, encoding)
  }
  const { write, end } = response
  response.write = function (this: ServerResponse, ...args: unknown[]) {
    sent.add(args[0], args[1])
    return (write as (...args: unknown[]) => boolean).apply(this, args)
  } as typeof write
  response.end = function (this: ServerResponse, ...args: unknown[]) {
    sent.add(args[0], args[1])
    const answer = () => (end as (...args: unknown[]) => ServerResponse).apply(this, args)
    // While the emulator answers a transaction, it answers no read of the recorder.
    const isTransaction = String(request.headers['x-amz-target']).endsWith('.TransactWriteItems')
    if (isTransaction) answer()
    const finish = async () => {
      const { method = '', url = '', headers } = request
      const call = readCall(
        signature.service,
        { method, url, headers, body: received.body(), bodyOctets: received.octets },
        { status: this.statusCode, body: sent.body(), bodyOctets: sent.octets },
      )
      const writes = await items.partsOf(call, `http://${headers.host}`)
      observer.onCall(signature, [...call.parts, ...writes])
      // A poller's requests come from outside the units, and wait for messages anyway.
      await delay(latenciesMs[signature.service])
    }
    finish()
      .catch((error: Error) => observer.onFailure(error))
      .then(() => (isTransaction ? undefined : answer()))
    return this
  } as typeof end
}

function collect(keepsBody: boolean) {
  const chunks: Buffer[] = []
  let octets = 0
  return {
    add(chunk: unknown, encoding: unknown) {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return
      const buffer =
        typeof chunk === 'string'
          ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
          : Buffer.from(chunk)
      octets += buffer.length
      if (keepsBody) chunks.push(buffer)
    },
    body: () => Buffer.concat(chunks),
    get octets() {
      return octets
    },
  }
}

/** What is known of an item: its size, and its entries in the table's indexes. */
interface KnownItem {
  readonly octets: number
  readonly entries: Item | null
}

/** The items that were written. Units of a write depend on the item before and after it. */
class ItemMirror {
  readonly #indexes: ReadonlyMap<string, readonly IndexDefinition[]>
  readonly #items = new Map<string, KnownItem>()
  #client: DynamoDBClient | null = null

  constructor(indexes: ReadonlyMap<string, readonly IndexDefinition[]>) {
    this.#indexes = indexes
  }

  /** @param endpoint of the emulator @returns a part for each write, and one for each index that changes */
  async partsOf({ writes }: AwsCall, endpoint: string): Promise<CallPart[]> {
    const parts = await Promise.all(
      writes.map(async (write) => {
        const name = JSON.stringify([write.table, write.key])
        const before = this.#items.get(name) ?? { octets: 0, entries: null }
        const item = await this.#read(endpoint, write.table, write.key)
        const indexes = this.#indexes.get(write.table) ?? []
        const isIndexed = indexes.some((index) => indexEntry(index, item) !== null)
        const after = { octets: item === null ? 0 : itemOctets(item), entries: isIndexed ? item : null }
        this.#items.set(name, after)
        const table = writePart(write, Math.max(before.octets, after.octets), writes.length)
        return [table, ...indexes.flatMap((index) => indexPart(index, table, before.entries, after.entries))]
      }),
    )
    return parts.flat()
  }

  close(): void {
    this.#client?.destroy()
  }

  async #read(endpoint: string, table: string, key: Item): Promise<Item | null> {
    this.#client ??= new DynamoDBClient({
      region: 'us-east-1',
      endpoint,
      credentials: { accessKeyId: recorderKey, secretAccessKey: recorderKey },
    })
    const { Item: item } = await this.#client.send(
      new GetItemCommand({
        TableName: table,
        Key: key as unknown as Record<string, AttributeValue>,
        ConsistentRead: true,
      }),
    )
    return item === undefined ? null : toJson(item)
  }
}

/** The SDK returns binary values as octets; DynamoDB's JSON has them in base64. */
const toJson = (item: object): Item =>
  JSON.parse(
    JSON.stringify(item, (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
    ),
  )

function indexPart(
  index: IndexDefinition,
  table: CallPart,
  before: Item | null,
  after: Item | null,
): CallPart[] {
  const units = indexWriteUnits(index, before, after)
  if (units === 0) return []
  const entry = indexEntry(index, after) ?? indexEntry(index, before) ?? {}
  const partitionKey = String(entry[index.keys[0] ?? '']?.S ?? '')
  const [key, partition] = [keyPattern(partitionKey), sharedPartition(partitionKey)]
  const resource = `${table.resource}/${index.name}`
  return [
    {
      operation: 'index',
      resource,
      key,
      partition,
      requests: 0,
      entries: 1,
      units,
      octets: itemOctets(entry),
    },
  ]
}
