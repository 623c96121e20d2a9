/** The client of the API: the same origin, with the person's token. */
import { ApiError, readCsvText, readJson, toApiError } from './api-error.ts'
import { type CsvPage, nextCursorOf } from './csv-pages.ts'

export type Query = Readonly<Record<string, string | number | undefined | null>>

export interface ApiClient {
  /** @throws ApiError */
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>
  /** Reads a page of a list as CSV. @throws ApiError */
  getCsv(path: string, query?: Query): Promise<CsvPage>
  /** Sends a POST that changes nothing. @throws ApiError */
  check<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>
  /** @param version the version that the change replaces @throws ApiError */
  send<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    version?: number,
  ): Promise<T>
}

/** Longer than the 30 seconds after which API Gateway itself answers with an error. */
const timeoutMs = 35_000

/**
 * @param token returns the access token, renewed if needed; null: without sign-in
 * @param onSessionEnded called when there is no token any more, or the API refused it
 */
export function createApiClient(
  token: () => Promise<string | null>,
  onSessionEnded: () => void = () => {},
): ApiClient {
  const tokenOrEnd = async () => {
    try {
      return await token()
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) onSessionEnded()
      throw error
    }
  }
  const request = async <T>(
    method: string,
    path: string,
    headers: Record<string, string>,
    init: RequestInit,
    { read = readJson, mayChange = method !== 'GET' }: RequestOptions = {},
  ): Promise<T> => {
    const bearer = await tokenOrEnd()
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(path, {
        ...init,
        method,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(bearer !== null && { authorization: `Bearer ${bearer}` }),
        },
        signal: init.signal ? AbortSignal.any([init.signal, timeout]) : timeout,
        redirect: 'error',
      })
      if (response.status === 401) onSessionEnded()
      if (!response.ok) throw await toApiError(response)
      return (await read(response)) as T
    } catch (error) {
      if (init.signal?.aborted) throw error
      const failure = error instanceof ApiError ? error : noAnswer(timeout.aborted)
      throw mayChange ? withOutcome(failure) : failure
    }
  }
  return {
    get: (path, query = {}, signal) =>
      request('GET', `${path}${queryText(query)}`, {}, signal ? { signal } : {}),
    getCsv: (path, query = {}) =>
      request(
        'GET',
        `${path}${queryText(query)}`,
        { accept: 'text/csv' },
        {},
        {
          read: async (response) => ({
            text: await readCsvText(response),
            nextCursor: nextCursorOf(response.headers.get('link')),
          }),
        },
      ),
    check: (path, body, signal) =>
      request(
        'POST',
        path,
        { 'content-type': 'application/json' },
        { body: JSON.stringify(body), ...(signal && { signal }) },
        { mayChange: false },
      ),
    send: (method, path, body, version) =>
      request(
        method,
        path,
        {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(version !== undefined && { 'if-match': `"${version}"` }),
        },
        body === undefined ? {} : { body: JSON.stringify(body) },
      ),
  }
}

interface RequestOptions {
  read?(response: Response): Promise<unknown>
  mayChange?: boolean
}

const noAnswer = (isTimeout: boolean): ApiError =>
  new ApiError(
    0,
    isTimeout
      ? 'The API did not answer within 35 seconds. Try again.'
      : 'The API cannot be reached. Check your connection, then try again.',
  )

/** Without an answer, the person does not know whether a change was made. */
const withOutcome = (error: ApiError): ApiError =>
  error.status !== 0 && error.status < 500
    ? error
    : new ApiError(
        error.status,
        `${error.message} It may have been done nevertheless: read again before you repeat it.`,
        error.faults,
      )

function queryText(query: Query): string {
  const entries = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [[name, String(value)]],
  )
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
}
