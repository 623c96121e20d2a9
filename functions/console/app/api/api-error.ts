/** A request that the API refused, or that did not reach it. */

import { visibleText, visibleValue } from '../visible-text.ts'

export interface ApiFault {
  path: string
  message: string
}

export class ApiError extends Error {
  /** The status of HTTP; 0 if there was no answer of the API. */
  readonly status: number
  /** The faults in fields, if the API names them. */
  readonly faults: readonly ApiFault[]

  constructor(status: number, message: string, faults: readonly ApiFault[] = []) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.faults = faults
  }
}

/** Says of a change without success whether it may have been made: the answer may have been lost. */
export const unsavedHeader = ({ status }: ApiError): string =>
  isLost(status) ? 'It is not known whether the change was saved' : 'The change is not saved'

/** @param wasLost whether the answer of an earlier attempt was lost */
export const conflictHeader = (changed: 'connector' | 'domain', wasLost: boolean): string =>
  wasLost
    ? `This ${changed} has changed, perhaps by your first attempt`
    : `Another person or program has changed this ${changed}`

export const isLost = (status: number): boolean => status === 0 || status >= 500

/** Reads the problem details (RFC 9457) of an answer. API Gateway or a proxy may have replaced them. */
export async function toApiError(response: Response): Promise<ApiError> {
  const { status } = response
  const problem: unknown = await response.json().catch(() => null)
  const { detail, errors } = isObject(problem) ? problem : {}
  // The API writes no text for a token that API Gateway refused, and the one for If-Match is for programs.
  const isOwnText = status === 401 || status === 428 || typeof detail !== 'string' || detail === ''
  return new ApiError(
    status,
    isOwnText ? statusText(status) : visibleText(detail),
    Array.isArray(errors) ? errors.filter(isFault) : [],
  )
}

/**
 * Reads an answer with success.
 * @throws ApiError if it is not JSON: a proxy sent its own page, or the answer was cut off
 */
export async function readJson(response: Response): Promise<unknown> {
  if (response.status === 204) return undefined
  const text = await response.text()
  const answer = parse(text)
  if (isObject(answer)) return answer
  throw isPage(text)
    ? proxyPage()
    : new ApiError(0, 'The answer of the API is incomplete or was changed on the way. Try again.')
}

/** @throws ApiError if a proxy sent its own page */
export async function readCsvText(response: Response): Promise<string> {
  const text = await response.text()
  if (isPage(text)) throw proxyPage()
  return text
}

const isPage = (text: string): boolean => /^\s*</.test(text)

const proxyPage = () =>
  new ApiError(
    0,
    'A page came in place of an answer of the API. A proxy or your network may ask you to sign in there: open another page, then try again.',
  )

function parse(text: string): unknown {
  try {
    return JSON.parse(text, visibleValue)
  } catch {
    return null
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const isFault = (value: unknown): value is ApiFault =>
  isObject(value) && typeof value.path === 'string' && typeof value.message === 'string'

const texts: ReadonlyMap<number, string> = new Map([
  [401, 'Your session has ended. Sign in again.'],
  [403, 'Your role does not permit this.'],
  [404, 'The API does not have this. It may have been deleted, or the API is of another version.'],
  [413, tooLong()],
  [414, tooLong()],
  [
    428,
    'Nothing was changed: the API did not learn which version the change replaces. A proxy may remove the header If-Match; its administrator can permit it.',
  ],
  [429, 'There were too many requests at once. Wait a minute, then try again.'],
  [431, tooLong()],
])

function tooLong(): string {
  return 'The request is too long for the API or a proxy. Use shorter filters or texts.'
}

/** What an answer without a text of the API means. */
const statusText = (status: number): string =>
  texts.get(status) ??
  (status >= 500
    ? `The API failed (${status}). Try again in a minute.`
    : `The API, or a proxy before it, answered with ${status}. Try again.`)
