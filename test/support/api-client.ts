/** Calls the API as API Gateway does, with payload format 2.0. */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createConnectorApi, type Dependencies } from '../../functions/connector-api/api.ts'
import { QueueName } from '../../functions/connector-api/dead-letter.ts'
import type { Deployment } from '../../functions/connector-api/routes/configuration.ts'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { RoleMapping } from '../../shared/contract/roles.ts'
import type { HttpApi } from '../../shared/http-api/http-api.ts'
import { History } from '../../shared/messages/history.ts'
import { RejectedList } from '../../shared/messages/rejected-list.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { UnknownCertificateList } from '../../shared/messages/unknown-certificate-list.ts'
import { UnknownCertificateStore } from '../../shared/messages/unknown-certificate-store.ts'
import { WaitingList } from '../../shared/messages/waiting-list.ts'
import { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { ObservedList } from '../../shared/transport/observed-list.ts'
import { recordingEvents, recordingQueue } from './queue.ts'

const emptyQueues = { send: async () => ({}) } as unknown as Dependencies['deadLetters']['sqs']

/** Returns the URLs of the queues and their dead letters at the endpoint. */
export const queueUrlsOf = (endpoint: string): Dependencies['deadLetters']['urls'] =>
  Object.fromEntries(
    QueueName.options.map((name) => [
      name,
      { queue: `${endpoint}/000000000000/${name}`, deadLetters: `${endpoint}/000000000000/${name}Dead` },
    ]),
  ) as Dependencies['deadLetters']['urls']

export interface ApiCall {
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Sent unchanged. */
  body?: string
  base64?: boolean
  /** The request context's authorizer; by default that of an AWS signature. Null: none. */
  authorizer?: object | null
}

/** The context of a request with an AWS signature. */
export const iamAuthorizer = { iam: { userArn: 'arn:aws:iam::123456789012:user/administrator' } }

export interface ApiResult {
  status: number
  headers: Record<string, string>
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the fields that it expects, and fails where they are missing
  body: any
}

/** Creates the API over a database. Its log stays in memory and is not printed. */
export function createTestApi(
  documents: DynamoDBDocumentClient,
  now: () => number = Date.now,
  publicRoots: readonly string[] = [],
  deployment: Partial<Deployment> = {},
  roles: RoleMapping | null = null,
  deadLetters: Dependencies['deadLetters'] = { sqs: emptyQueues, urls: queueUrlsOf('http://sqs') },
  alarms: Dependencies['alarms'] = { read: async () => [] },
) {
  const logEntries: Record<string, unknown>[] = []
  const logger = {
    info: (message: string, fields: object) => logEntries.push({ level: 'info', message, ...fields }),
    warn: (message: string, error: Error) => logEntries.push({ level: 'warn', message, error }),
    error: (message: string, error: Error) => logEntries.push({ level: 'error', message, error }),
  } as unknown as Logger
  const evaluation = recordingQueue<EvaluationJob>()
  const events = recordingEvents()
  const api = createConnectorApi({
    repository: new ConnectorRepository(documents, 'connectors', now),
    history: new History(documents, 'messages'),
    rejected: new RejectedList(documents, 'messages'),
    trace: new Trace(documents, 'messages'),
    waiting: new WaitingList(documents, 'messages'),
    evaluation,
    events,
    deadLetters,
    explain: {
      snapshot: () => new SnapshotReader(documents, 'connectors').current(),
      settings: { defaultRoute: 'Mx', postmaster: { hostname: 'mx.ours.example', mailbox: null } },
      publicRoots,
    },
    deployment: { defaultRoute: 'Mx', deliversInVpc: true, ...deployment },
    reports: new ReceivedReports(documents, 'transport'),
    published: new PublishedCertificatesItem(documents, 'connectors'),
    observed: new ObservedList(documents, 'transport'),
    unknown: {
      list: new UnknownCertificateList(documents, 'messages'),
      store: new UnknownCertificateStore(documents, 'messages'),
    },
    alarms,
    roles,
    logger,
    now,
  })
  return { call: requestsTo(api), api, logged: logEntries, evaluation, events }
}

/** Returns a function that sends requests. A body that is not JSON is returned as text. */
export const requestsTo =
  (api: HttpApi) =>
  async (target: string, apiRequest: ApiCall = {}): Promise<ApiResult> => {
    const { statusCode = 0, headers = {}, body } = await api(eventOf(target, apiRequest))
    const isJson = String(headers['content-type']).includes('json')
    return {
      status: statusCode,
      headers: headers as Record<string, string>,
      body: body && isJson ? JSON.parse(body) : body,
    }
  }

/** @param target `GET /path?query` */
function eventOf(
  target: string,
  { headers = {}, json, body, base64 = false, authorizer = iamAuthorizer }: ApiCall,
) {
  const [method = '', url = ''] = target.split(/ (.*)/s)
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  const text = body ?? (json === undefined ? undefined : JSON.stringify(json))
  return {
    version: '2.0',
    routeKey: `${method} /route`,
    rawPath: path,
    rawQueryString: query,
    headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...headers },
    requestContext: { requestId: 'request-1', http: { method, path }, ...(authorizer && { authorizer }) },
    ...(text !== undefined && { body: text }),
    isBase64Encoded: base64,
  } as unknown as APIGatewayProxyEventV2
}
