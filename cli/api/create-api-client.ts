/**
 * Chooses the API's address and how requests authenticate. Attack: a host on the network path, or at a mistyped
 * address, reads the credentials. Defence: credentials are sent over TLS only, except to loopback. An AWS signature is
 * valid for one host, and redirects are not followed.
 */
import { CommandError, UsageError } from '../command-error.ts'
import { ApiClient, type Authorise } from './api-client.ts'
import { isLoopback } from './is-loopback.ts'

interface ApiOptions {
  readonly api?: string
  readonly token?: string
  readonly sign?: boolean
  readonly region?: string
}

type Environment = Readonly<Record<string, string | undefined>>

const localApi = 'http://127.0.0.1:8080'

/**
 * Creates the client that the options and the environment describe.
 * @throws UsageError for an invalid address
 * @throws CommandError when credentials would be sent in the clear
 */
export function createApiClient(options: ApiOptions, env: Environment): ApiClient {
  const base = parseBaseUrl(options.api ?? (env.MAILFLOW_API || localApi))
  const authorise = chooseAuthorisation(base, options, env)
  if (authorise !== null && base.protocol === 'http:' && !isLoopback(base.hostname))
    throw new CommandError(
      `credentials are not sent to ${base.origin}, which does not use TLS; give an https address`,
    )
  return new ApiClient(base, authorise ?? (async (request) => request.headers))
}

function parseBaseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`"${text}" is not an API address; examples: https://api.example, ${localApi}`)
  if (url.username !== '' || url.search !== '' || url.hash !== '')
    throw new UsageError("the API's address must not contain a user name, query or fragment")
  return url
}

/** Matches `https://ID.execute-api.REGION.amazonaws.com`, and `.cn` in China. */
const apiGatewayHost = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/

function chooseAuthorisation(base: URL, options: ApiOptions, env: Environment): Authorise | null {
  const token = options.token ?? env.MAILFLOW_TOKEN
  if (token && (options.sign || options.region !== undefined) && options.token !== undefined)
    throw new UsageError('--token cannot be used with --sign or --region')
  const region = options.region ?? apiGatewayHost.exec(base.hostname)?.[1]
  const shouldSign = options.sign === true || options.region !== undefined
  if (token && !shouldSign) return bearerToken(token)
  if (region === undefined && !shouldSign) return null
  const signingRegion = region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION
  if (!signingRegion) throw new UsageError('--sign needs a region: use --region or set AWS_REGION')
  return async (request) =>
    (await import('./sign-request.ts')).signAwsRequest(request, signingRegion, 'execute-api')
}

const bearerToken =
  (token: string): Authorise =>
  async ({ headers }) => ({ ...headers, authorization: `Bearer ${token}` })
