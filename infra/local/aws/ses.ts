/**
 * The SES emulator, with what it lacks: the quota, and the size limits of both APIs. It reads bodies of 25 MB at most, so
 * this server reads them.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

/** Octets of a message, as SES states them in its errors. */
const maxOctets = { v1: 10_485_760, v2: 40 * 1024 * 1024 }

export async function startSes(): Promise<Server> {
  const { default: startServer } = createRequire(import.meta.url)('aws-ses-v2-local')
  const server: Server = await startServer({ host: '127.0.0.1', port: 0 })
  const [emulator] = server.listeners('request') as [RequestListener]
  server.removeAllListeners('request')
  server.on('request', async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'POST' && request.url === '/')
      return answerV1(new URLSearchParams(await text(request)), request, response, emulator)
    if (request.method === 'POST' && request.url === '/v2/email/outbound-emails')
      return answerV2(JSON.parse(await text(request)), request, response, emulator)
    emulator(request, response)
  })
  return server
}

function answerV1(
  form: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
  emulator: RequestListener,
): void {
  if (form.get('Action') === 'GetSendQuota') {
    response.writeHead(200, { 'content-type': 'text/xml' }).end(quota)
    return
  }
  const octets = decodedLength(form.get('RawMessage.Data'))
  if (octets > maxOctets.v1) {
    const error = `<Error><Code>InvalidParameterValue</Code><Message>${tooLong(maxOctets.v1, octets)}</Message></Error>`
    response.writeHead(400, { 'content-type': 'text/xml' }).end(`<ErrorResponse>${error}</ErrorResponse>`)
    return
  }
  emulator(Object.assign(request, { body: Object.fromEntries(form) }), response)
}

function answerV2(
  body: { Content?: { Raw?: { Data?: string } } },
  request: IncomingMessage,
  response: ServerResponse,
  emulator: RequestListener,
): void {
  const octets = decodedLength(body.Content?.Raw?.Data)
  if (octets > maxOctets.v2) {
    response
      .writeHead(400, { 'content-type': 'application/json', 'x-amzn-errortype': 'BadRequestException' })
      .end(JSON.stringify({ message: tooLong(maxOctets.v2, octets) }))
    return
  }
  emulator(Object.assign(request, { body }), response)
}

const decodedLength = (base64: string | null | undefined): number => Buffer.byteLength(base64 ?? '', 'base64')

const tooLong = (limit: number, octets: number): string =>
  `Message length is more than ${limit} bytes long: '${octets}'.`

/** Large enough not to slow mail on this machine. */
const quota = `<GetSendQuotaResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><GetSendQuotaResult>
  <MaxSendRate>1000.0</MaxSendRate><Max24HourSend>-1.0</Max24HourSend><SentLast24Hours>0.0</SentLast24Hours>
  </GetSendQuotaResult></GetSendQuotaResponse>`
