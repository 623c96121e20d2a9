/** Serves the template's HTTP APIs on loopback and invokes their functions with events of payload format 2.0. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { APIGatewayEventRequestContextV2, APIGatewayProxyEventV2WithRequestContext } from 'aws-lambda'
import * as z from 'zod'
import { matchRoute, type Route } from './api-routes.ts'
import type { TokenResult } from './jwt-authorizer.ts'
import { firstErrorLine, StartError } from './start-error.ts'
import { accountId } from './template.ts'

export type ApiEvent = APIGatewayProxyEventV2WithRequestContext<
  APIGatewayEventRequestContextV2 & { authorizer?: unknown }
>

export interface ApiServer {
  readonly port: number
  close(): Promise<void>
}

type Invoke = (functionArn: string, event: ApiEvent) => Promise<unknown>

export interface ApiServerOptions {
  /** 0 chooses a free port. */
  readonly port: number
  /** The option that sets the port, for error messages. */
  readonly option: string
  /** True for public content, for which any Host header is accepted. */
  readonly isPublic?: boolean
}

/** @throws StartError when the port cannot be bound */
export async function startApiServer(
  routes: readonly Route[],
  invoke: Invoke,
  { port, option, isPublic = false }: ApiServerOptions,
  onError: (message: string) => void,
): Promise<ApiServer> {
  const server = createServer((request, response) => {
    serve({ routes, invoke, isPublic }, request, response).catch((error: unknown) => {
      onError(firstErrorLine(error))
      respond(response, 500, { 'content-type': 'application/json' }, '{"message":"Internal Server Error"}')
    })
  })
  await listen(server, port, option)
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close()
      server.closeIdleConnections()
      await once(server, 'close')
    },
  }
}

async function listen(server: Server, port: number, option: string): Promise<void> {
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new StartError(
      `port ${port} ${code === 'EADDRINUSE' ? 'is already in use' : `cannot be bound: ${code}`} (${option})`,
    )
  }
}

const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)

async function serve(
  { routes, invoke, isPublic }: { routes: readonly Route[]; invoke: Invoke; isPublic: boolean },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Without the host in front, a path that begins with two slashes would be parsed as a host.
  const url = new URL(`http://127.0.0.1${request.url ?? '/'}`)
  // Attack: a web page resolves its host name to 127.0.0.1 (DNS rebinding), or sends a form to the API. Defence: Host
  // and Origin must be loopback.
  const { host = '', origin } = request.headers
  if (!isPublic && !(isLoopback(host) && isLoopback(origin?.replace(/^http:\/\//, '') ?? host)))
    return respond(response, 403, { 'content-type': 'application/json' }, '{"message":"Forbidden"}')
  const match = matchRoute(routes, request.method ?? 'GET', url.pathname)
  if (match === null)
    return respond(response, 404, { 'content-type': 'application/json' }, '{"message":"Not Found"}')
  const authorised = await authorise(match.route, request)
  if (authorised.kind === 'Refused') return sendRefusal(response, authorised)
  const body = await buffer(request)
  const event = toEvent(match, request, url, body, authorised.authorizer)
  await sendResult(response, await invoke(match.route.functionArn, event))
}

function toEvent(
  { route, parameters }: { route: Route; parameters: Record<string, string> },
  request: IncomingMessage,
  url: URL,
  body: Buffer,
  authorizer: object | null,
): ApiEvent {
  const now = new Date()
  const query = queryOf(url)
  const text = body.toString('utf8')
  const isText = Buffer.from(text, 'utf8').equals(body)
  return {
    version: '2.0',
    routeKey: route.key,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: headersOf(request),
    ...(query !== null && { queryStringParameters: query }),
    ...(Object.keys(parameters).length > 0 && { pathParameters: parameters }),
    ...(body.length > 0 && { body: isText ? text : body.toString('base64') }),
    isBase64Encoded: body.length > 0 && !isText,
    requestContext: {
      accountId,
      apiId: 'local',
      domainName: request.headers.host ?? '',
      domainPrefix: 'local',
      http: {
        method: request.method ?? 'GET',
        path: url.pathname,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey: route.key,
      stage: '$default',
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
      ...(authorizer && { authorizer }),
    },
  }
}

/** @returns the authorizer's context; on the API with AWS signatures every client is the administrator */
async function authorise(
  { authorization, verifyToken }: Route,
  request: IncomingMessage,
): Promise<Refusal | { kind: 'Authorised'; authorizer: object | null }> {
  if (authorization === 'NONE') return { kind: 'Authorised', authorizer: null }
  if (authorization === 'AWS_IAM') {
    const userArn = `arn:aws:iam::${accountId}:user/local`
    const iam = { accessKey: 'local', accountId, callerId: 'local', userArn, userId: 'local' }
    return { kind: 'Authorised', authorizer: { iam } }
  }
  if (verifyToken === undefined) throw new Error(`the authorization ${authorization} is not supported`)
  const result = await verifyToken(headersOf(request).authorization)
  return result.kind === 'Refused' ? result : { kind: 'Authorised', authorizer: { jwt: result.context } }
}

type Refusal = Extract<TokenResult, { kind: 'Refused' }>

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html */
function sendRefusal(response: ServerResponse, { status, description }: Refusal): void {
  const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
  const challenge = `Bearer scope="" error="${error}" error_description="${description.replaceAll(/[^ !#-[\]-~]/g, ' ')}"`
  const headers = { 'content-type': 'application/json', 'www-authenticate': challenge }
  respond(response, status, headers, `{"message":"${status === 401 ? 'Unauthorized' : 'Forbidden'}"}`)
}

/** Joins repeated headers with commas, as API Gateway does. */
function headersOf(request: IncomingMessage): Record<string, string> {
  const entries = Object.entries(request.headersDistinct).map(([name, values = []]) => [
    name,
    values.join(','),
  ])
  return Object.fromEntries(entries)
}

function queryOf(url: URL): Record<string, string> | null {
  const names = [...new Set(url.searchParams.keys())]
  if (names.length === 0) return null
  return Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name).join(',')]))
}

const StructuredResult = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  cookies: z.array(z.string()).default([]),
  body: z.string().default(''),
  isBase64Encoded: z.boolean().default(false),
})

/** Payload format 2.0: a result without `statusCode` is the JSON body of a 200. */
async function sendResult(response: ServerResponse, result: unknown): Promise<void> {
  const parsed = StructuredResult.safeParse(result)
  if (!parsed.success)
    return respond(response, 200, { 'content-type': 'application/json' }, JSON.stringify(result ?? null))
  const { statusCode, headers, cookies, body, isBase64Encoded } = parsed.data
  const setCookie = cookies.length > 0 ? { 'set-cookie': cookies } : {}
  respond(
    response,
    statusCode,
    { ...headers, ...setCookie },
    isBase64Encoded ? Buffer.from(body, 'base64') : body,
  )
}

function respond(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | number | boolean | string[]>,
  body: string | Buffer,
): void {
  for (const [name, value] of Object.entries(headers))
    response.setHeader(name, typeof value === 'boolean' ? String(value) : value)
  response.writeHead(status).end(body)
}
