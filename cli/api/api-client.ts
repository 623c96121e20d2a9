/** The commands' client of the HTTP API. Checks responses by a schema; an error response becomes an ApiError. */
import * as z from 'zod'
import { percentEncode } from '../../shared/aws/signer.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { CommandError } from '../command-error.ts'
import { toApiError } from './api-error.ts'
import { isLoopback } from './is-loopback.ts'

export interface ApiRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** @returns the headers to send */
export type Authorise = (request: ApiRequest) => Promise<Readonly<Record<string, string>>>

export type Query = Readonly<Record<string, string | number | null | undefined>>

interface RequestOptions {
  readonly query?: Query
  readonly body?: unknown
  /** The version to replace or remove, for the header If-Match. */
  readonly version?: number
}

/** Longer than the 30 seconds after which API Gateway itself responds with an error. */
const timeoutMs = 40_000

const maxPageSize = 200

const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

export class ApiClient {
  readonly #base: URL
  readonly #authorise: Authorise

  constructor(base: URL, authorise: Authorise) {
    this.#base = base
    this.#authorise = authorise
  }

  /** Whether the gateway runs on this machine, where nothing is billed. */
  get isLocal(): boolean {
    return isLoopback(this.#base.hostname)
  }

  get<T extends z.ZodType>(schema: T, path: string, query: Query = {}): Promise<z.output<T>> {
    return this.#request(schema, 'GET', path, { query })
  }

  post<T extends z.ZodType>(schema: T, path: string, body: unknown, query: Query = {}): Promise<z.output<T>> {
    return this.#request(schema, 'POST', path, { body, query })
  }

  /** @param version the version to replace; undefined creates the entry */
  put<T extends z.ZodType>(
    schema: T,
    path: string,
    body: unknown,
    version?: number,
    query: Query = {},
  ): Promise<z.output<T>> {
    return this.#request(schema, 'PUT', path, { body, query, ...(version !== undefined && { version }) })
  }

  patch<T extends z.ZodType>(schema: T, path: string, body: unknown, version: number): Promise<z.output<T>> {
    return this.#request(schema, 'PATCH', path, { body, version })
  }

  delete<T extends z.ZodType>(
    schema: T,
    path: string,
    version?: number,
    query: Query = {},
  ): Promise<z.output<T>> {
    return this.#request(schema, 'DELETE', path, { query, ...(version !== undefined && { version }) })
  }

  /** Yields every entry of a list; fetches the next page when it is needed. */
  async *list<T extends z.ZodType>(
    item: T,
    path: string,
    query: Query = {},
    pageSize = maxPageSize,
  ): AsyncGenerator<z.output<T>> {
    let cursor: string | null | undefined
    do {
      const limit = Math.min(pageSize, maxPageSize)
      const page = await this.get(listOf(item), path, { ...query, limit, cursor })
      yield* page.items
      cursor = page.nextCursor
    } while (cursor !== null)
  }

  async #request<T extends z.ZodType>(
    schema: T,
    method: string,
    path: string,
    { query = {}, body, version }: RequestOptions,
  ): Promise<z.output<T>> {
    const request: ApiRequest = {
      method,
      url: this.#urlOf(path, query),
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(version !== undefined && { 'if-match': `"${version}"` }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    }
    const { status, ok, json } = await this.#send(request)
    if (!ok) throw toApiError(status, json, `${method} ${path}`)
    const parsed = schema.safeParse(json)
    if (parsed.success) return parsed.data
    throw new CommandError(`unexpected response to ${method} ${path}`, [
      ...faultsOf(parsed.error).slice(0, 5).map(faultText),
      `Check that ${this.#base.href} is the API of a mailflow gateway of this version.`,
    ])
  }

  async #send(request: ApiRequest) {
    const headers = await this.#authorise(request)
    try {
      const response = await fetch(request.url, {
        method: request.method,
        headers,
        ...(request.body !== undefined && { body: request.body }),
        // Credentials must not reach another host.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      return { status: response.status, ok: response.ok, json: parseJson(await response.text()) }
    } catch (error) {
      throw unreachableError(this.#base, error)
    }
  }

  #urlOf(path: string, query: Query): URL {
    const url = new URL(`${this.#base.href.replace(/\/$/, '')}${path}`)
    url.search = Object.entries(query)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => `${encodeUrlPart(name)}=${encodeUrlPart(String(value))}`)
      .join('&')
    return url
  }
}

/** Encodes one part of a path or a query as AWS signatures require. */
export const encodeUrlPart = percentEncode

/** @returns undefined for an empty body, and for a body that is not JSON */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unreachableError(base: URL, error: unknown): CommandError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = String((cause as { code?: unknown } | null)?.code ?? '')
  if (code === 'ECONNREFUSED')
    return new CommandError(`connection refused by ${base.href}`, [
      'Start the gateway on this machine (npm start), or give the API address: --api URL, or MAILFLOW_API.',
    ])
  if (error instanceof Error && error.name === 'TimeoutError')
    return new CommandError(`request to ${base.href} timed out after ${timeoutMs / 1000} seconds`)
  return new CommandError(`cannot reach ${base.href}: ${errorMessage(cause)}`)
}
