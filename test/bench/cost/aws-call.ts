/** Reads a request to AWS: what is called, on which resource and keys, and what it is billed as. */
import type { IncomingHttpHeaders } from 'node:http'
import { type Consistency, type Item, itemOctets, readUnits, writeUnits } from './item-size.ts'
import { keyPattern } from './key-pattern.ts'

export interface HttpRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly bodyOctets: number
}

export interface HttpResponse {
  readonly status: number
  readonly body: Buffer
  readonly bodyOctets: number
}

/** Who signed a request, for which service; from `Authorization`. */
export interface Signature {
  readonly accessKey: string
  readonly service: string
  /** Identifies an execution environment of a function. */
  readonly sessionToken: string | undefined
}

/** One part of a request: a batch has a part for each resource and key pattern. */
export interface CallPart {
  readonly operation: string
  /** Table, queue, bucket; `table/index` for an index. */
  readonly resource: string
  /** Pattern of the key; empty for services without keys. */
  readonly key: string
  /** The partition key itself, or an object's key before its ULID; empty when each message has its own. */
  readonly partition: string
  /** Requests: a fraction when a request has several parts. */
  readonly requests: number
  /** Messages of a queue, items of a table. */
  readonly entries: number
  /** Read or write units of DynamoDB, requests of 64 KiB of SQS; the number of requests for other services. */
  readonly units: number
  /** Octets of content: stored, sent or read. */
  readonly octets: number
}

/** A write whose units depend on the item before and after it. */
export interface ItemWrite {
  readonly table: string
  readonly operation: string
  readonly key: Item
  readonly isTransaction: boolean
}

export interface AwsCall {
  readonly parts: readonly CallPart[]
  readonly writes: readonly ItemWrite[]
}

/** @returns null for a request without a signature */
export function readSignature(headers: IncomingHttpHeaders): Signature | null {
  const [, accessKey, service] =
    /Credential=([^/,]+)\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? '') ?? []
  if (accessKey === undefined || service === undefined) return null
  const token = headers['x-amz-security-token']
  return { accessKey, service, sessionToken: Array.isArray(token) ? token[0] : token }
}

/** Reads a request and its response. */
export function readCall(service: string, request: HttpRequest, response: HttpResponse): AwsCall {
  if (service === 's3') return { parts: [readS3(request, response)], writes: [] }
  const target = String(request.headers['x-amz-target'] ?? '')
  if (target === '') return { parts: [readQueryRequest(service, request)], writes: [] }
  const operation = target.slice(target.lastIndexOf('.') + 1)
  const input = parseJson(request.body)
  const output = parseJson(response.body)
  if (service === 'dynamodb') return readDynamoDb(operation, input, output, response.status)
  const resource =
    service === 'sqs' ? queueName(String(input.QueueUrl)) : secretName(String(input.SecretId ?? ''))
  const part =
    service === 'sqs'
      ? readSqs(operation, input, output)
      : { entries: 1, units: 1, octets: request.bodyOctets }
  return { parts: [{ operation, resource, key: '', partition: '', requests: 1, ...part }], writes: [] }
}

type Json = ReturnType<typeof JSON.parse>

function parseJson(body: Buffer): Json {
  try {
    return JSON.parse(body.toString()) ?? {}
  } catch {
    return {}
  }
}

function readS3({ method, url, bodyOctets }: HttpRequest, response: HttpResponse): CallPart {
  const { pathname, searchParams } = new URL(url, 'http://s3')
  const [, bucket = '', ...path] = pathname.split('/').map(decodeURIComponent)
  const has = (name: string) => searchParams.has(name)
  const operations: Readonly<Record<string, string>> = {
    PUT: has('uploadId') ? 'UploadPart' : 'PutObject',
    POST: has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload',
    GET: path.join('') === '' ? 'ListObjectsV2' : 'GetObject',
    HEAD: 'HeadObject',
    DELETE: has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject',
  }
  return {
    operation: operations[method] ?? method,
    resource: resourceName(bucket),
    key: keyPattern(path.join('/')),
    partition: path.join('/').replace(/[^/]{26}$/, ''),
    requests: 1,
    entries: 1,
    units: 1,
    octets: method === 'GET' ? response.bodyOctets : bodyOctets,
  }
}

/** SNS and SES version 1 send forms, SES version 2 and Lambda's Invoke send JSON to a path. */
function readQueryRequest(
  service: string,
  { method, url, headers, body, bodyOctets }: HttpRequest,
): CallPart {
  const common = { key: '', partition: '', requests: 1, entries: 1, units: 1, octets: bodyOctets }
  if (String(headers['content-type']).startsWith('application/x-www-form-urlencoded')) {
    const form = new URLSearchParams(body.toString())
    const topic = form.get('TopicArn')?.split(':').at(-1) ?? ''
    return { ...common, operation: form.get('Action') ?? '', resource: resourceName(topic) || service }
  }
  const invoked = /\/functions\/([^/]+)\/invocations/.exec(url)?.[1]
  if (invoked !== undefined) return { ...common, operation: 'Invoke', resource: resourceName(invoked) }
  const [path = ''] = url.split('?')
  const operation = path === '/v2/email/outbound-emails' ? 'SendEmail' : `${method} ${keyPattern(path)}`
  return { ...common, operation, resource: service }
}

/**
 * A request of SQS is billed for each 64 KiB of its payload that begins
 * (https://aws.amazon.com/sqs/pricing/).
 */
const octetsPerSqsRequest = 64 * 1024

function readSqs(
  operation: string,
  input: Json,
  output: Json,
): Pick<CallPart, 'entries' | 'units' | 'octets'> {
  const messages: Json[] =
    operation === 'ReceiveMessage' ? (output.Messages ?? []) : (input.Entries ?? [input])
  const octets = messages.reduce(
    (sum: number, message) =>
      sum +
      Buffer.byteLength(message.MessageBody ?? message.Body ?? '') +
      Buffer.byteLength(JSON.stringify(message.MessageAttributes ?? '')),
    0,
  )
  return { entries: messages.length, units: Math.max(1, Math.ceil(octets / octetsPerSqsRequest)), octets }
}

const consistencyOf = (request: Json): Consistency => (request.ConsistentRead ? 'Strong' : 'Eventual')

function readDynamoDb(operation: string, input: Json, output: Json, status: number): AwsCall {
  if (operation === 'BatchGetItem') return { parts: batchReads(operation, input, output), writes: [] }
  if (operation === 'Query' || operation === 'Scan')
    return { parts: [query(operation, input, output)], writes: [] }
  if (operation === 'GetItem') {
    const octets = itemOctets(output.Item ?? {})
    return {
      parts: [readOf(operation, input.TableName, input.Key, octets, consistencyOf(input), 1)],
      writes: [],
    }
  }
  if (operation === 'TransactGetItems') {
    const reads: Json[] = input.TransactItems.map(({ Get }: Json) => Get)
    const parts = reads.map((read, index) => {
      const octets = itemOctets(output.Responses?.[index]?.Item ?? {})
      return readOf(operation, read.TableName, read.Key, octets, 'Transaction', 1 / reads.length)
    })
    return { parts, writes: [] }
  }
  const writes = writesOf(operation, input)
  // A refused write changes nothing; its units are those of the item as it is.
  return { parts: [], writes: status < 500 ? writes : [] }
}

/** @returns each write of a request that writes; `key` has the primary key only */
function writesOf(operation: string, input: Json): ItemWrite[] {
  const keyIn = ({ Key, Item: item }: Json): Item => Key ?? { pk: item.pk, sk: item.sk }
  if (operation === 'TransactWriteItems')
    return input.TransactItems.map((entry: Json) => {
      const [action = '', write] = Object.entries<Json>(entry)[0] ?? []
      return {
        table: write.TableName,
        operation: `Transact${action}`,
        key: keyIn(write),
        isTransaction: true,
      }
    })
  if (operation === 'BatchWriteItem')
    return Object.entries<Json[]>(input.RequestItems).flatMap(([table, requests]) =>
      requests.map((request) => {
        const write = request.PutRequest ?? request.DeleteRequest
        return { table, operation, key: keyIn(write), isTransaction: false }
      }),
    )
  if (!['PutItem', 'UpdateItem', 'DeleteItem'].includes(operation)) return []
  return [{ table: input.TableName, operation, key: keyIn(input), isTransaction: false }]
}

function batchReads(operation: string, input: Json, output: Json): CallPart[] {
  const keys = Object.entries<Json>(input.RequestItems).flatMap(([table, request]) =>
    request.Keys.map((key: Item) => ({ table, key, request })),
  )
  return keys.map(({ table, key, request }) => {
    const found: Item[] = output.Responses?.[table] ?? []
    const item = found.find(({ pk, sk }) => pk?.S === key.pk?.S && sk?.S === key.sk?.S) ?? {}
    return readOf(operation, table, key, itemOctets(item), consistencyOf(request), 1 / keys.length)
  })
}

function query(operation: string, input: Json, output: Json): CallPart {
  const items: Item[] = output.Items ?? []
  const octets = items.reduce((sum, item) => sum + itemOctets(item), 0)
  const values: Item = input.ExpressionAttributeValues ?? {}
  const [first = ''] = Object.values(values).map(({ S }) => String(S ?? ''))
  const index = input.IndexName === undefined ? '' : `/${input.IndexName}`
  return {
    operation,
    resource: `${resourceName(input.TableName)}${index}`,
    key: keyPattern(first),
    partition: sharedPartition(first),
    requests: 1,
    entries: items.length,
    units: readUnits(octets, consistencyOf(input)),
    octets,
  }
}

const readOf = (
  operation: string,
  table: string,
  key: Item,
  octets: number,
  consistency: Consistency,
  requests: number,
): CallPart => ({
  operation: consistency === 'Strong' ? `${operation} (consistent)` : operation,
  resource: resourceName(table),
  key: patternOfKey(key),
  partition: sharedPartition(String(key.pk?.S ?? '')),
  requests,
  entries: 1,
  units: readUnits(octets, consistency),
  octets,
})

/** The pattern of partition key and sort key. */
export const patternOfKey = ({ pk, sk }: Item): string =>
  `${keyPattern(String(pk?.S ?? ''))} ${keyPattern(String(sk?.S ?? ''))}`

/** @returns the key, or an empty text for a key that each message has for itself */
export const sharedPartition = (key: string): string => (/<(id|address)>/.test(keyPattern(key)) ? '' : key)

/** @param octets of the larger one of the item before and after the write */
export const writePart = (write: ItemWrite, octets: number, writesOfCall: number): CallPart => ({
  operation: write.operation,
  resource: resourceName(write.table),
  key: patternOfKey(write.key),
  partition: sharedPartition(String(write.key.pk?.S ?? '')),
  requests: 1 / writesOfCall,
  entries: 1,
  units: writeUnits(octets, write.isTransaction),
  octets,
})

const queueName = (url: string): string => resourceName(url.slice(url.lastIndexOf('/') + 1))

const secretName = (id: string): string => id.replace(/^.*:secret:/, '').replace(/-[A-Za-z0-9]{6}$/, '')

/** Drops the hash at the end of a logical id. */
export const resourceName = (id: string): string => id.replace(/[0-9a-f]{8}$/i, '')
