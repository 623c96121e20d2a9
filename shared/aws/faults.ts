/** Errors of requests to AWS, and whether a retry can succeed. Error names are those of the AWS SDK. */

/** The service responded with an error. */
export class ServiceError extends Error {
  /** The service's error code, or `Http` and the status where the body holds none. */
  override readonly name: string
  readonly status: number
  /** The service refused the signature's time. The clock has been corrected, so a retry can succeed. */
  readonly isOfClock: boolean

  constructor({ status, body }: { status: number; body: string }, isOfClock = false) {
    const { code, message } = said(body)
    super(message || `HTTP status ${status}`)
    this.name = code || `Http${status}`
    this.status = status
    this.isOfClock = isOfClock
  }
}

/** Node's codes for a broken connection; the SDK names them `TimeoutError`. */
const lost = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT']
const unreachable = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']

/** No complete response arrived. The service may have executed the request. */
export class NoAnswerError extends Error {
  override readonly name: string
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
    this.name = lost.includes(code) ? 'TimeoutError' : 'Error'
  }

  static of(error: Error & { code?: string }): NoAnswerError {
    return new NoAnswerError(error.message, error.code ?? '')
  }
}

const throttled = [
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
const passing = ['RequestTimeout', 'RequestTimeoutException']

export type Prospect =
  /** A retry fails the same way. */
  | 'Final'
  | 'Transient'
  /** The service limits the request rate. */
  | 'Throttled'

export function prospectOf(error: unknown): Prospect {
  if (error instanceof NoAnswerError)
    return lost.includes(error.code) || unreachable.includes(error.code) ? 'Transient' : 'Final'
  if (!(error instanceof ServiceError)) return 'Final'
  if (error.status === 429 || throttled.includes(error.name)) return 'Throttled'
  return error.status >= 500 || error.isOfClock || passing.includes(error.name) ? 'Transient' : 'Final'
}

/** S3 responds in XML, SQS in JSON; a proxy between may respond in any format. */
function said(body: string): { code: string; message: string } {
  if (body.startsWith('{')) return saidInJson(body)
  const element = (name: string) => new RegExp(`<${name}>([^<]{0,500})</${name}>`).exec(body)?.[1] ?? ''
  return { code: element('Code'), message: element('Message') }
}

function saidInJson(body: string): { code: string; message: string } {
  try {
    const { __type: type = '', message = '', Message = '' } = JSON.parse(body) as Record<string, unknown>
    const code = String(type).split('#').at(-1)?.split(':')[0] ?? ''
    return { code, message: String(message || Message).slice(0, 500) }
  } catch {
    return { code: '', message: '' }
  }
}
