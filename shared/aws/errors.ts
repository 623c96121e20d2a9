/** Errors of requests to AWS, and whether a retry can succeed. The errors have the AWS SDK's names. */

/** The service responded with an error. */
export class ServiceError extends Error {
  /** The service's error code, or `Http` and the status when the body has no code. */
  override readonly name: string
  readonly status: number
  /** Whether the service refused the signature's time. If so, the clock has been corrected, and a retry can succeed. */
  readonly isClockSkew: boolean

  constructor({ status, body }: { status: number; body: string }, isClockSkew = false) {
    const { code, message } = parseErrorBody(body)
    super(message || `HTTP status ${status}`)
    this.name = code || `Http${status}`
    this.status = status
    this.isClockSkew = isClockSkew
  }
}

/** Node's codes for a broken connection; the SDK names such errors `TimeoutError`. */
const connectionLostCodes = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT']
const unreachableCodes = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']

/** No complete response arrived. The service may have executed the request. */
export class NoResponseError extends Error {
  override readonly name: string
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
    this.name = connectionLostCodes.includes(code) ? 'TimeoutError' : 'Error'
  }

  static from(error: Error & { code?: string }): NoResponseError {
    return new NoResponseError(error.message, error.code ?? '')
  }
}

const throttlingErrors = [
  'BandwidthLimitExceeded',
  'KmsThrottled',
  'PriorRequestNotComplete',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]
const transientErrors = ['RequestTimeout', 'RequestTimeoutException']

export type ErrorClass =
  /** A retry fails the same way. */
  | 'Final'
  | 'Transient'
  /** The service limits the request rate. */
  | 'Throttled'

export function classifyError(error: unknown): ErrorClass {
  if (error instanceof NoResponseError)
    return connectionLostCodes.includes(error.code) || unreachableCodes.includes(error.code)
      ? 'Transient'
      : 'Final'
  if (!(error instanceof ServiceError)) return 'Final'
  if (error.status === 429 || throttlingErrors.includes(error.name)) return 'Throttled'
  return error.status >= 500 || error.isClockSkew || transientErrors.includes(error.name)
    ? 'Transient'
    : 'Final'
}

/** S3 responds in XML, SQS in JSON; a proxy between may respond in any format. */
function parseErrorBody(body: string): { code: string; message: string } {
  if (body.startsWith('{')) return parseJsonErrorBody(body)
  const element = (name: string) => new RegExp(`<${name}>([^<]{0,500})</${name}>`).exec(body)?.[1] ?? ''
  return { code: element('Code'), message: element('Message') }
}

function parseJsonErrorBody(body: string): { code: string; message: string } {
  try {
    const { __type: type = '', message = '', Message = '' } = JSON.parse(body) as Record<string, unknown>
    const code = String(type).split('#').at(-1)?.split(':')[0] ?? ''
    return { code, message: String(message || Message).slice(0, 500) }
  } catch {
    return { code: '', message: '' }
  }
}
