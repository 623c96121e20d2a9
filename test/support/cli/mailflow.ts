/** The command line in this process, against the API in this process, over HTTP. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { run } from '../../../cli/run.ts'
import type { Dependencies } from '../../../functions/connector-api/api.ts'
import { type ApiCall, type ApiResult, createTestApi } from '../api-client.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../dynamodb.ts'

export interface CommandResult {
  status: number
  out: string
  err: string
}

export interface HttpApi {
  /** `http://127.0.0.1:port` */
  url: string
  database: TestDynamoDb
  /** Received requests, oldest first, such as `POST /inbound-connectors`. */
  requests: string[]
  /** The body of the last request that had one. */
  lastBody(): string
  /** `before` runs before a request is answered, and simulates another client's change. */
  meanwhile: { before: ((request: string) => Promise<void>) | null }
  call(target: string, apiRequest?: ApiCall): Promise<ApiResult>
  /** Jobs that the API has sent to the evaluation queue. */
  evaluation: ReturnType<typeof createTestApi>['evaluation']
  /** Events that the API has sent. */
  events: ReturnType<typeof createTestApi>['events']
  mailflow(...args: string[]): Promise<CommandResult>
  /** Removes all connectors and accepted domains. */
  clear(): Promise<void>
  stop(): Promise<void>
}

export async function startApi(
  now: () => number = Date.now,
  deadLetters?: Dependencies['deadLetters'],
  alarms?: Dependencies['alarms'],
): Promise<HttpApi> {
  const database = await startDynamoDb()
  const { call, evaluation, events } = createTestApi(
    database.documents,
    now,
    [],
    {},
    null,
    deadLetters,
    alarms,
  )
  const requests: string[] = []
  let lastBody = ''
  const meanwhile: HttpApi['meanwhile'] = { before: null }
  const server = createServer(async (request, response) => {
    const target = `${request.method} ${request.url}`
    requests.push(target)
    await meanwhile.before?.(target)
    const apiRequest = await toApiRequest(request)
    lastBody = apiRequest.body ?? lastBody
    const { status, headers, body } = await call(target, apiRequest)
    response.writeHead(status, headers).end(body === undefined ? undefined : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    database,
    requests,
    lastBody: () => lastBody,
    meanwhile,
    call,
    evaluation,
    events,
    mailflow: (...args) => mailflow(args, { env: { MAILFLOW_API: url }, now }),
    clear: () => emptyTable(database),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await database.stop()
    },
  }
}

async function toApiRequest(request: IncomingMessage): Promise<ApiCall> {
  const body = (await buffer(request)).toString()
  const { 'if-match': ifMatch, 'content-type': contentType } = request.headers
  return {
    headers: { ...(ifMatch && { 'if-match': ifMatch }), ...(contentType && { 'content-type': contentType }) },
    ...(body !== '' && { body }),
  }
}

interface Answer {
  status?: number
  headers?: Record<string, string>
  body: string
}

/** Starts a server with the test's answers. */
export async function startAnsweringServer(
  answer: (request: IncomingMessage) => Answer | Promise<Answer>,
): Promise<{ url: string; stop(): void }> {
  const server = createServer(async (request, response) => {
    const { status = 200, headers = {}, body } = await answer(request)
    response.writeHead(status, headers).end(body)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export interface CommandOptions {
  env?: Record<string, string>
  input?: string
  /** Answers a question; missing without a terminal. */
  prompt?: (question: string) => Promise<string>
  /** The width of the terminal; missing without a terminal. */
  columns?: number
  now?: () => number
  /** @default ends at once */
  sleep?: (ms: number) => Promise<void>
  /** Missing without a terminal. */
  printStatus?: (text: string | null) => void
}

export async function mailflow(args: readonly string[], around: CommandOptions = {}): Promise<CommandResult> {
  const output = { out: '', err: '' }
  const status = await run(args, {
    env: around.env ?? {},
    out(text) {
      output.out += text
    },
    err(text) {
      output.err += text
    },
    readInput: async () => Buffer.from(around.input ?? ''),
    ...(around.prompt && { prompt: around.prompt }),
    ...(around.columns !== undefined && { columns: around.columns }),
    now: around.now ?? Date.now,
    sleep: around.sleep ?? (async () => {}),
    ...(around.printStatus && { printStatus: around.printStatus }),
  })
  return { status, ...output }
}
