/**
 * The connectors table and the snapshot bucket of a large deployment, as a process of its own: it answers with pages of
 * one megabyte, as DynamoDB does. It prints its address. POST /version sets the version.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { changeItems } from '../../shared/connectors-table/change-log.ts'
import { formatSnapshot } from '../../shared/connectors-table/snapshot-object.ts'
import { connectorSet } from './policy-fixtures.ts'

const size = Number(process.argv[2])
const pageOctets = 1_000_000
const at = '2026-03-01T00:00:00.000Z'
const set = connectorSet(size)
let version = size
const octetCounts = { pages: 0, octets: 0 }

function marshal(value: unknown): object {
  if (value === null) return { NULL: true }
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  if (Array.isArray(value)) return { L: value.map(marshal) }
  return { M: marshalItem(value as object) }
}

const marshalItem = (item: object): Record<string, object> =>
  Object.fromEntries(Object.entries(item).map(([name, value]) => [name, marshal(value)]))

function pagesOf(pk: string, items: readonly object[]): string[] {
  const pages: string[][] = [[]]
  let octets = 0
  for (const item of items) {
    // DynamoDB counts names and values, which is nearly the length of the JSON.
    octets += JSON.stringify(item).length
    pages.at(-1)?.push(JSON.stringify(marshalItem({ pk, sk: Object.values(item)[0], ...item })))
    if (octets < pageOctets) continue
    pages.push([])
    octets = 0
  }
  return pages.map((page, index) => {
    const last =
      index + 1 < pages.length ? `,"LastEvaluatedKey":{"pk":{"S":"${pk}"},"sk":{"S":"${index + 1}"}}` : ''
    return `{"Count":${page.length},"Items":[${page.join(',')}]${last}}`
  })
}

const pages: Record<string, string[]> = {
  'inbound-connector': pagesOf('inbound-connector', set.inbound),
  'outbound-connector': pagesOf('outbound-connector', set.outbound),
  'accepted-domain': pagesOf('accepted-domain', set.acceptedDomains),
}
const object = await formatSnapshot({ ...set, version: size, at })

/** Each change sets the comment of another inbound connector. */
function changeOf(number: number): object[] {
  const connector = set.inbound[(number * 7) % set.inbound.length]
  const item = { ...connector, comment: `change ${number}` }
  const change = {
    version: number,
    at,
    actor: 'administrator',
    kind: 'inbound-connector',
    name: item.name ?? '',
  } as const
  return changeItems({
    ...change,
    key: item.id ?? '',
    before: { comment: connector?.comment },
    after: { comment: item.comment },
    item,
  })
}

function query(input: {
  ExpressionAttributeValues: Record<string, { S: string }>
  ExclusiveStartKey?: { sk: { S: string } }
}): string {
  const { ':kind': kind, ':low': low, ':high': high } = input.ExpressionAttributeValues
  if (kind) return pages[kind.S]?.[Number(input.ExclusiveStartKey?.sk.S ?? 0)] ?? ''
  const [from, to] = [Number(low?.S), Number(high?.S.slice(0, 12))]
  const Items = Array.from({ length: to - from + 1 }, (_, index) => changeOf(from + index)).flat()
  return JSON.stringify({ Items: Items.map(marshalItem) })
}

const server = createServer(async (request, response) => {
  const body = (await buffer(request)).toString()
  const target = String(request.headers['x-amz-target'] ?? '')
  let answer: string | Buffer = ''
  if (request.url === '/version') version = Number(body)
  else if (request.url === '/counts') {
    answer = JSON.stringify(octetCounts)
    Object.assign(octetCounts, { pages: 0, octets: 0 })
  } else if (request.method === 'GET') answer = object
  else if (target.endsWith('.GetItem')) answer = JSON.stringify({ Item: marshalItem({ version, at }) })
  else answer = query(JSON.parse(body))
  if (request.url !== '/counts') {
    octetCounts.pages++
    octetCounts.octets += answer.length
  }
  response.writeHead(200, { 'content-length': Buffer.byteLength(answer) }).end(answer)
}).listen(0, '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} ${object.length}`),
)
