/** Lambda's Invoke. The request is signed without the SDK. */
import { createHash } from 'node:crypto'
import { CredentialsCache, type ProvidedCredentials } from './credentials-cache.ts'
import { NoResponseError } from './errors.ts'
import { type HttpResponse, originOf, type RequestTimeouts } from './http-connections.ts'
import { ServiceClient, type ServiceRequest } from './service-client.ts'

export interface InvokerOptions {
  /** `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME` */
  functionArn: string
  credentials(): Promise<ProvidedCredentials>
  timeouts: RequestTimeouts
  /** In place of the Region's endpoint. */
  endpoint?: string | undefined
}

export class FunctionInvoker {
  readonly #client: ServiceClient
  readonly #path: string

  /** @throws Error when the ARN is not a function's */
  constructor({ functionArn, credentials, timeouts, endpoint }: InvokerOptions) {
    const [, partition, service, region, , kind, name] = functionArn.split(':')
    if (service !== 'lambda' || kind !== 'function' || !partition || !region || !name)
      throw new Error(`${functionArn} is not the ARN of a Lambda function`)
    const target = {
      ...originOf(endpoint ?? regionalEndpoint(partition, region)),
      path: '',
      region,
      service,
    }
    this.#client = new ServiceClient(target, new CredentialsCache(credentials), timeouts)
    this.#path = `/2015-03-31/functions/${name}/invocations`
  }

  /**
   * Sends the request once, and again only if an idle connection was broken: a caller that waits does not gain by a second
   * time limit. The function must be idempotent.
   * @returns the function's result
   * @throws ServiceError, NoResponseError, or Error when the function failed
   */
  async invoke(event: unknown): Promise<unknown> {
    const request = this.#request(event)
    const response = await this.#client.send(request, 1).catch((error: unknown) => {
      if (!isBrokenConnection(error)) throw error
      return this.#client.send(request, 1)
    })
    return resultOf(response)
  }

  /**
   * Starts an asynchronous invocation, which Lambda repeats twice if it fails. A request without a response is sent again,
   * so the function must be idempotent.
   * @throws ServiceError or NoResponseError when the invocation may not have been started
   */
  async invokeAsync(event: unknown): Promise<void> {
    await this.#client.send(this.#request(event, { 'x-amz-invocation-type': 'Event' }))
  }

  #request(event: unknown, headers: Record<string, string> = {}): ServiceRequest {
    const body = Buffer.from(JSON.stringify(event))
    return {
      method: 'POST',
      path: this.#path,
      headers: { 'content-length': String(body.length), 'content-type': 'application/json', ...headers },
      body: [body],
      payloadHash: createHash('sha256').update(body).digest('hex'),
    }
  }

  close(): void {
    this.#client.close()
  }
}

/** AWS: the endpoints of Lambda (https://docs.aws.amazon.com/general/latest/gr/lambda-service.html). */
const regionalEndpoint = (partition: string, region: string): string =>
  `https://lambda.${region}.${partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'}`

const isBrokenConnection = (error: unknown): boolean =>
  error instanceof NoResponseError && ['ECONNRESET', 'EPIPE'].includes(error.code)

function resultOf({ headers, body }: HttpResponse): unknown {
  if (headers['x-amz-function-error'] === undefined) return JSON.parse(body)
  throw new Error(`the function failed: ${body.slice(0, 500)}`)
}
