/**
 * The parts of S3, SQS and DynamoDB that the ingress uses, over TLS, each with a response after a fixed time: `node
 * storage-stub.ts MILLISECONDS`, with TLS_PRIVATE_KEY and TLS_CERTIFICATE,
 * and with INBOUND_CONNECTORS in JSON. Prints its port when it listens. Stores
 * nothing.
 */
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { acceptedEntry, connectorsAnswer, operationOf, type SqsEntry } from '../support/aws-answers.ts'

const delayMs = Number(process.argv[2] ?? 10)
const { TLS_PRIVATE_KEY: key = '', TLS_CERTIFICATE: cert = '', INBOUND_CONNECTORS = '[]' } = process.env
const inboundConnectors: object[] = JSON.parse(INBOUND_CONNECTORS)

const server = createServer({ key, cert }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const responseBody = responseBodyTo(request, Buffer.concat(chunks))
    setTimeout(() => response.writeHead(200, { etag: '"stub"' }).end(responseBody), delayMs)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))

/** @returns the body of the response; responses of S3 need none */
function responseBodyTo(request: IncomingMessage, body: Buffer): string {
  const operation = operationOf(request)
  if (operation === '') return ''
  const parsed = JSON.parse(body.toString())
  if (operation !== 'SendMessageBatch')
    return JSON.stringify(connectorsAnswer(operation, parsed, inboundConnectors))
  const entries: SqsEntry[] = parsed.Entries
  return JSON.stringify({ Successful: entries.map((entry) => acceptedEntry(entry)), Failed: [] })
}
