/**
 * Builds the function that serves the console: a page, its scripts and styles, and how to sign in. Nothing of this is
 * secret: what a person sees and may do, the API decides by the person's token. Attack: a page of another site shows the
 * console in a frame, or a text of a hostile server becomes a script. Defence: the Content-Security-Policy.
 */
import { gunzipSync } from 'node:zlib'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { consoleConfigPath, consolePath } from '../../shared/contract/console.ts'
import { contentSecurityPolicy } from './content-security-policy.ts'
import type { ConsoleFile } from './read-files.ts'

/** How people sign in; null: without. */
export interface SignIn {
  issuer: string
  clientId: string
  /** Requested in addition to `openid`. */
  scopes: readonly string[]
  /** After so many minutes the issuer must authenticate the person again. */
  sessionMinutes: number
}

export interface Dependencies {
  files: ReadonlyMap<string, ConsoleFile>
  signIn: SignIn | null
  /** Returns the origins of the issuer's endpoints. */
  signInOrigins(): Promise<readonly string[]>
  /** The version of mailflow. */
  version: string
}

type Result = APIGatewayProxyStructuredResultV2
export type ConsoleHandler = (event: APIGatewayProxyEventV2) => Promise<Result>

const daySeconds = 86_400
const indexName = 'index.html'

export function createConsole(dependencies: Dependencies): ConsoleHandler {
  const { files, signIn, signInOrigins, version } = dependencies
  const index = files.get(indexName)
  if (index === undefined) throw new Error(`the console has no ${indexName}`)
  return async ({ rawPath, headers }) => {
    if (rawPath === consoleConfigPath) return json({ signIn, version })
    const name = rawPath.slice(consolePath.length + 1)
    const file = files.get(name)
    if (file !== undefined && name !== indexName)
      return send(file, headers, `public, max-age=${daySeconds * 365}, immutable`)
    // A file of an earlier version must not become the page. Files are in no folder.
    if (/^[^/]+\.\w+$/.test(name) || name.startsWith('.')) return notFound
    // Every other path is a view of the page. It may end with a domain.
    const policy = contentSecurityPolicy(signIn === null ? [] : await signInOrigins())
    return send(index, headers, 'no-cache', { 'content-security-policy': policy })
  }
}

const common = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'cross-origin-opener-policy': 'same-origin',
}

const json = (body: unknown): Result => ({
  statusCode: 200,
  headers: { ...common, 'content-type': 'application/json', 'cache-control': 'no-cache' },
  body: JSON.stringify(body),
})

const notFound: Result = {
  statusCode: 404,
  headers: { ...common, 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
  body: 'The console has no such file. Reload the page.',
}

function send(
  { type, compressed, entityTag }: ConsoleFile,
  requestHeaders: APIGatewayProxyEventV2['headers'],
  cacheControl: string,
  more: Record<string, string> = {},
): Result {
  const headers = {
    ...common,
    'content-type': type,
    'cache-control': cacheControl,
    etag: entityTag,
    vary: 'accept-encoding',
    ...more,
  }
  if (requestHeaders['if-none-match'] === entityTag) return { statusCode: 304, headers }
  const acceptsGzip = /\bgzip\b/.test(requestHeaders['accept-encoding'] ?? '')
  return {
    statusCode: 200,
    headers: { ...headers, ...(acceptsGzip && { 'content-encoding': 'gzip' }) },
    body: (acceptsGzip ? compressed : gunzipSync(compressed)).toString('base64'),
    isBase64Encoded: true,
  }
}
