/**
 * Chooses the API's address and how requests authenticate. Attack: someone on the network path, or behind a mistyped
 * address, reads the credentials. Defence: credentials are sent over TLS only, except to loopback. An AWS signature is
 * valid for one host, and redirects are not followed.
 */
import { Fault, UsageFault } from '../faults.ts'
import { ApiClient, type Authorise } from './client.ts'

interface Given {
  readonly api?: string
  readonly token?: string
  readonly sign?: boolean
  readonly region?: string
}

type Environment = Readonly<Record<string, string | undefined>>

const localApi = 'http://127.0.0.1:8080'

/**
 * Creates the client that the options and the environment describe.
 * @throws UsageFault for an invalid address
 * @throws Fault when credentials would be sent in the clear
 */
export function apiAt(given: Given, env: Environment): ApiClient {
  const base = baseOf(given.api ?? (env.MAILFLOW_API || localApi))
  const authorise = authorisation(base, given, env)
  if (authorise !== null && base.protocol === 'http:' && !isLoopback(base.hostname))
    throw new Fault(
      `credentials are not sent to ${base.origin}, which does not use TLS; give an https address`,
    )
  return new ApiClient(base, authorise ?? (async (request) => request.headers))
}

function baseOf(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageFault(`"${text}" is not an API address; examples: https://api.example, ${localApi}`)
  if (url.username !== '' || url.search !== '' || url.hash !== '')
    throw new UsageFault("the API's address must not contain a user name, query or fragment")
  return url
}

/** Matches `https://ID.execute-api.REGION.amazonaws.com`, and `.cn` in China. */
const gateway = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/

function authorisation(base: URL, given: Given, env: Environment): Authorise | null {
  const token = given.token ?? env.MAILFLOW_TOKEN
  if (token && (given.sign || given.region !== undefined) && given.token !== undefined)
    throw new UsageFault('--token cannot be used with --sign or --region')
  const region = given.region ?? gateway.exec(base.hostname)?.[1]
  const wantsSignature = given.sign === true || given.region !== undefined
  if (token && !wantsSignature) return withToken(token)
  if (region === undefined && !wantsSignature) return null
  const signFor = region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION
  if (!signFor) throw new UsageFault('--sign needs a region: use --region or set AWS_REGION')
  return async (request) => (await import('./sign-request.ts')).signRequest(request, signFor)
}

const withToken =
  (token: string): Authorise =>
  async ({ headers }) => ({ ...headers, authorization: `Bearer ${token}` })

function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}
