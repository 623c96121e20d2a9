/** Amazon SES in this process, with the requests of both of its APIs. */
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { SesQuota } from '../../shared/net/ses-api.ts'
import { queryError, sesAccepted, sesQuota } from './aws-answers.ts'
import { listen } from './listen.ts'

export interface SesRequest {
  api: 'V1' | 'V2'
  /** Null when the request names no reverse path. */
  mailFrom: string | null
  recipients: string[]
  content: Buffer
  configurationSet: string | null
}

export interface SesError {
  status: number
  /** As API v2 and the SDK name it; API v1 leaves out `Exception`. */
  name: string
  message?: string
}

export type SesAnswer = 'accepted' | 'none' | 'connection lost' | SesError

export interface FakeSes {
  url: string
  /** Received messages, oldest first. */
  requests: SesRequest[]
  /** The answer to a message. */
  answer: (request: SesRequest) => SesAnswer
  quota: SesQuota | SesError
  quotaRequests: number
  stop(): Promise<void>
}

/** Accepts each message as 0100-abc. */
export async function startSes(): Promise<FakeSes> {
  const { url, stop } = await listen(
    createServer(async (request, response) => {
      const body = await text(request)
      const isV2 = request.url === '/v2/email/outbound-emails'
      const respond = (status: number, octets: string, headers = {}) =>
        response
          .writeHead(status, { 'content-type': isV2 ? 'application/json' : 'text/xml', ...headers })
          .end(octets)
      const fail = ({ status, name, message = 'because' }: SesError) =>
        isV2
          ? respond(status, JSON.stringify({ message }), { 'x-amzn-errortype': name })
          : respond(status, queryError(name.replace(/Exception$/, ''), message))
      if (!isV2 && new URLSearchParams(body).get('Action') === 'GetSendQuota') {
        ses.quotaRequests += 1
        return 'status' in ses.quota ? fail(ses.quota) : respond(200, sesQuota(ses.quota))
      }
      const received = isV2 ? parseV2(body) : parseV1(request, body)
      ses.requests.push(received)
      const answer = ses.answer(received)
      if (answer === 'connection lost') response.destroy()
      else if (answer === 'accepted')
        respond(200, isV2 ? JSON.stringify({ MessageId: '0100-abc' }) : sesAccepted('0100-abc'))
      else if (answer !== 'none') fail(answer)
    }),
  )
  const ses: FakeSes = {
    url,
    requests: [],
    answer: () => 'accepted',
    quota: { maxSendRate: 14, max24HourSend: 50_000, sentLast24Hours: 0 },
    quotaRequests: 0,
    stop,
  }
  return ses
}

/** The parameters of `SendRawEmail`. */
function parseV1({ url }: IncomingMessage, body: string): SesRequest {
  const form = new URLSearchParams(body)
  if (form.get('Action') !== 'SendRawEmail')
    throw new Error(`unexpected request: ${url} ${form.get('Action')}`)
  return {
    api: 'V1',
    mailFrom: form.get('Source'),
    recipients: [...form].filter(([name]) => name.startsWith('Destinations.')).map(([, address]) => address),
    content: Buffer.from(form.get('RawMessage.Data') ?? '', 'base64'),
    configurationSet: form.get('ConfigurationSetName'),
  }
}

/** The parameters of `SendEmail`. An unexpected one, such as one that replaces a header field, fails the test. */
function parseV2(body: string): SesRequest {
  const { Content, Destination, ConfigurationSetName, FeedbackForwardingEmailAddress, ...others } =
    JSON.parse(body)
  if (Object.keys(others).length > 0) throw new Error(`unexpected parameters: ${Object.keys(others)}`)
  return {
    api: 'V2',
    mailFrom: FeedbackForwardingEmailAddress ?? null,
    recipients: Destination.ToAddresses,
    content: Buffer.from(Content.Raw.Data, 'base64'),
    configurationSet: ConfigurationSetName,
  }
}
