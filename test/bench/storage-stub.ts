/**
 * S3, SQS and DynamoDB as far as the ingress meets them, over TLS, each answering after a fixed time: `node
 * storage-stub.ts MILLISECONDS`, with TLS_PRIVATE_KEY and TLS_CERTIFICATE. Prints its port when it listens. Keeps
 * nothing.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

const delayMs = Number(process.argv[2] ?? 10)
const { TLS_PRIVATE_KEY: key = '', TLS_CERTIFICATE: cert = '' } = process.env

const server = createServer({ key, cert }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const answer = answerTo(request, Buffer.concat(chunks))
    setTimeout(() => response.writeHead(200, { etag: '"stub"' }).end(answer), delayMs)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))

interface Body {
  Entries: { Id: string; MessageBody: string }[]
  ExpressionAttributeValues: Record<string, { S: string }>
}

/** AWS's JSON protocols name the operation in a header; S3 does not use them and needs no body here. */
function answerTo({ headers }: IncomingMessage, body: Buffer): string {
  const operation = String(headers['x-amz-target'] ?? '')
    .split('.')
    .at(-1)
  if (!operation) return ''
  const parsed = JSON.parse(body.toString()) as Body
  if (operation === 'SendMessageBatch')
    return JSON.stringify({ Successful: parsed.Entries.map(acknowledge), Failed: [] })
  if (operation === 'GetItem') return JSON.stringify({ Item: { version: { N: '1' } } })
  return JSON.stringify({ Items: connectors(parsed) })
}

function acknowledge({ Id, MessageBody }: Body['Entries'][number]) {
  return { Id, MessageId: Id, MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') }
}

/** One accepted domain and no connectors. */
function connectors({ ExpressionAttributeValues }: Body) {
  const accepted = Object.values(ExpressionAttributeValues ?? {}).some(({ S }) => S === 'accepted-domain')
  if (!accepted) return []
  const fields = { pk: 'accepted-domain', sk: 'ours.example', domain: 'ours.example', comment: '' }
  const at = '2026-01-01T00:00:00.000Z'
  const text = Object.entries({ ...fields, createdAt: at, updatedAt: at }).map(([key, S]) => [key, { S }])
  return [{ ...Object.fromEntries(text), version: { N: '1' } }]
}
