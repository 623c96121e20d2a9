/**
 * Where the API is, and how a request proves who sends it. The attack: credentials that whoever is on the way can
 * read, or that a mistyped address is given. The defence: they travel over TLS or not beyond this machine; an AWS
 * signature is made for one host and never sent on a redirect.
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
 * The client for what the options and the environment say.
 * @throws UsageFault for an address that is none
 * @throws Fault where credentials would travel in the clear
 */
export function apiAt(given: Given, env: Environment): ApiClient {
  const base = baseOf(given.api ?? (env.MAILFLOW_API || localApi))
  const authorise = authorisation(base, given, env)
  if (authorise !== null && base.protocol === 'http:' && !isLoopback(base.hostname))
    throw new Fault(
      `${base.origin} is not TLS, so no credentials are sent there. Give the API's https address.`,
    )
  return new ApiClient(base, authorise ?? (async (request) => request.headers))
}

function baseOf(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageFault(`"${text}" is not the address of an API, such as https://api.example or ${localApi}`)
  if (url.username !== '' || url.search !== '' || url.hash !== '')
    throw new UsageFault("the API's address takes no user name, query or fragment")
  return url
}

/** `https://ID.execute-api.REGION.amazonaws.com`, and the same in China. */
const gateway = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/

function authorisation(base: URL, given: Given, env: Environment): Authorise | null {
  const token = given.token ?? env.MAILFLOW_TOKEN
  if (token && (given.sign || given.region !== undefined) && given.token !== undefined)
    throw new UsageFault('--token and --sign exclude each other')
  const region = given.region ?? gateway.exec(base.hostname)?.[1]
  const wantsSignature = given.sign === true || given.region !== undefined
  if (token && !wantsSignature) return withToken(token)
  if (region === undefined && !wantsSignature) return null
  const signFor = region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION
  if (!signFor) throw new UsageFault('--sign needs a region: give --region or set AWS_REGION')
  return async (request) => (await import('./sign-request.ts')).signRequest(request, signFor)
}

const withToken =
  (token: string): Authorise =>
  async ({ headers }) => ({ ...headers, authorization: `Bearer ${token}` })

function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}
