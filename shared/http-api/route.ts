/**
 * Describes routes by their input and their responses. The router and the OpenAPI document read these descriptions.
 */
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import * as z from 'zod'
import type { ExpectedVersions } from '../contract/expected-versions.ts'
import type { Role } from '../contract/roles.ts'
import type { Caller } from './caller.ts'
import { readBody, readJson, readOptionalJson } from './json-body.ts'
import { Problem } from './problem.ts'
import { parseIfMatch, parseQuery } from './request.ts'

export interface RouteResponse {
  status: number
  headers?: Record<string, string>
  /** A text is sent as it is, with the content type in `headers`; anything else as JSON. */
  body?: unknown
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface RouteDescription<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  method: Method
  /** Path template; `{name}` is a parameter. */
  path: string
  /** The least role that may use the route. */
  role: Role
  summary: string
  query?: Query
  body?: Body
  /** The name of the body's schema in the OpenAPI document. Without a name, the document has the schema in place. */
  bodyName?: string
  /** The input that a JSON merge patch changes (RFC 7396). */
  patchOf?: z.ZodObject
  /** Limit of the body. @default `defaultMaxBodyOctets` of json-body.ts */
  maxBodyOctets?: number
  /** A missing body is read as an empty object. */
  bodyOptional?: boolean
  /** Whether the route answers CSV to a request that accepts `text/csv`. */
  csv?: boolean
  /** `required`: a request without If-Match gets 428. */
  ifMatch?: 'required' | 'optional'
  /** Schema of each successful response, by status; null when the response has no body. */
  answers: Record<number, z.ZodType | null>
  /** Problem statuses of this route. The statuses that its inputs can cause are added. */
  problems?: readonly number[]
}

export interface RouteRequest<Query, Body> {
  parameter: string
  query: Query
  body: Body
  /** Null when If-Match is optional and absent. */
  ifMatch: ExpectedVersions | null
  /** IAM principal, or subject of the token. */
  caller: string
  /** The roles of a person; null: IAM's policies decide about the requests of this principal. */
  callerRoles: readonly Role[] | null
  /** Whether the client accepts CSV. */
  acceptsCsv: boolean
  target: RequestTarget
}

/** The address of a request, without the host. */
export interface RequestTarget {
  path: string
  /** Without its question mark; empty if there is none. */
  query: string
}

export interface Route extends RouteDescription {
  run(event: APIGatewayProxyEventV2, parameter: string, caller: Caller): Promise<RouteResponse>
}

const emptyQuery = z.strictObject({})

/**
 * Validates the input, then calls `handle`. The order of the checks: query (400), format of the body (415, 413, 400),
 * If-Match (400, 428), content of the body (422).
 */
export function route<Query extends z.ZodType = typeof emptyQuery, Body extends z.ZodType = z.ZodUndefined>(
  description: RouteDescription<Query, Body>,
  handle: (request: RouteRequest<z.output<Query>, z.output<Body>>) => Promise<RouteResponse>,
): Route {
  return {
    ...description,
    async run(event, parameter, caller) {
      const query = parseQuery(description.query ?? emptyQuery, event.rawQueryString ?? '') as z.output<Query>
      const readJsonBody = description.bodyOptional ? readOptionalJson : readJson
      const json = description.body && readJsonBody(event, description.maxBodyOctets)
      const ifMatch = parseIfMatch(event.headers['if-match'])
      if (description.ifMatch === 'required' && ifMatch === null)
        throw new Problem(428, 'If-Match is missing. Send the ETag of a GET in it.')
      const body = (description.body && readBody(description.body, json)) as z.output<Body>
      const acceptsCsv = /\btext\/csv\b/i.test(event.headers.accept ?? '')
      const target = { path: event.rawPath, query: event.rawQueryString ?? '' }
      const callerRoles = caller.kind === 'TokenSubject' ? caller.roles : null
      return handle({ parameter, query, body, ifMatch, caller: caller.name, callerRoles, acceptsCsv, target })
    },
  }
}
