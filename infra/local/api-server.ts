/** Serves the template's HTTP APIs on loopback and invokes their functions with events of payload format 2.0. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { APIGatewayEventRequestContextV2, APIGatewayProxyEventV2WithRequestContext } from 'aws-lambda'
import * as z from 'zod'

import { firstErrorLine, StartError } from './start-error.ts'
import { accountId, parse, type Resolver, resourcesOfType, type Template } from './template.ts'

export interface Route {
  /** The template's route key: `GET /messages/{id}`, or `$default`. */
  readonly key: string
  readonly functionArn: string
  readonly authorization: string
}

export type ApiEvent = APIGatewayProxyEventV2WithRequestContext<
  APIGatewayEventRequestContextV2 & { authorizer?: unknown }
>

export interface ApiServer {
  readonly port: number
  close(): Promise<void>
}

type Invoke = (functionArn: string, event: ApiEvent) => Promise<unknown>

const RouteProperties = z.object({
  RouteKey: z.string(),
  Target: z.string(),
  AuthorizationType: z.string().default('NONE'),
})
const IntegrationProperties = z.object({
  IntegrationUri: z.string(),
  PayloadFormatVersion: z.literal('2.0'),
})

/** @throws StartError when the runner does not support a route or its integration */
export function readRoutes(template: Template, resolver: Resolver): Route[] {
  for (const [id] of resourcesOfType(template, 'AWS::ApiGatewayV2::Integration'))
    resolver.register(id, { Ref: id })
  return resourcesOfType(template, 'AWS::ApiGatewayV2::Route').map(([id, raw]) => {
    const { RouteKey, Target, AuthorizationType } = raw
    const route = parse(RouteProperties, resolver.resolve({ RouteKey, Target, AuthorizationType }), id)
    return {
      key: route.RouteKey,
      functionArn: integrationArn(template, resolver, route.Target.replace('integrations/', '')),
      authorization: route.AuthorizationType,
    }
  })
}

function integrationArn(template: Template, resolver: Resolver, id: string): string {
  const { IntegrationUri, PayloadFormatVersion } = template.Resources[id]?.Properties ?? {}
  return parse(IntegrationProperties, resolver.resolve({ IntegrationUri, PayloadFormatVersion }), id)
    .IntegrationUri
}

/** Returns the most specific route and its path parameters: a literal segment has precedence over a parameter. */
export function matchRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { route: Route; parameters: Record<string, string> } | null {
  const segments = path.split('/').slice(1)
  const matches = routes.flatMap((route) => {
    const parameters = matchKey(route.key, method, segments)
    return parameters === null ? [] : [{ route, parameters }]
  })
  const rank = ({ route, parameters }: (typeof matches)[number]) =>
    route.key === '$default' ? Number.POSITIVE_INFINITY : Object.keys(parameters).length
  matches.sort((a, b) => rank(a) - rank(b))
  return matches[0] ?? null
}

function matchKey(key: string, method: string, segments: readonly string[]): Record<string, string> | null {
  if (key === '$default') return {}
  const [routeMethod, routePath = ''] = key.split(' ')
  if (routeMethod !== method && routeMethod !== 'ANY') return null
  const pattern = routePath.split('/').slice(1)
  if (pattern.length !== segments.length) return null
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ''
    const parameter = /^\{(.+)\}$/.exec(part)?.[1]
    if (parameter === undefined && part !== segment) return null
    if (parameter !== undefined) parameters[parameter] = decodeSegment(segment)
  }
  return parameters
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

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

async function serve(
  { routes, invoke, isPublic }: { routes: readonly Route[]; invoke: Invoke; isPublic: boolean },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Without the host in front, a path that begins with two slashes would be parsed as a host.
  const url = new URL(`http://127.0.0.1${request.url ?? '/'}`)
  // Attack: a web page resolves its host name to 127.0.0.1 (DNS rebinding). Defence: the Host header must be loopback.
  if (!isPublic && !/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(request.headers.host ?? ''))
    return respond(response, 403, { 'content-type': 'application/json' }, '{"message":"Forbidden"}')
  const match = matchRoute(routes, request.method ?? 'GET', url.pathname)
  if (match === null)
    return respond(response, 404, { 'content-type': 'application/json' }, '{"message":"Not Found"}')
  const body = await buffer(request)
  const event = toEvent(match, request, url, body)
  await sendResult(response, await invoke(match.route.functionArn, event))
}

function toEvent(
  { route, parameters }: { route: Route; parameters: Record<string, string> },
  request: IncomingMessage,
  url: URL,
  body: Buffer,
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
      ...authorizerOf(route.authorization),
    },
  }
}

/** Builds an authorizer's context: every client on loopback is the administrator. */
function authorizerOf(authorization: string): { authorizer?: object } {
  if (authorization === 'JWT') return { authorizer: { jwt: { claims: { sub: 'local' }, scopes: null } } }
  if (authorization !== 'AWS_IAM') return {}
  const userArn = `arn:aws:iam::${accountId}:user/local`
  return {
    authorizer: { iam: { accessKey: 'local', accountId, callerId: 'local', userArn, userId: 'local' } },
  }
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
