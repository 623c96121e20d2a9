/** What may go wrong with a request, told apart by whether it may go better another time. Named as the SDK does. */

/** The service answered, and did not do what it was asked. */
export class ServiceError extends Error {
  /** The service's own code for it. */
  override readonly name: string
  readonly status: number
  /** It was not to blame on the request but on our clock, which is set now. */
  readonly isOfClock: boolean

  constructor({ status, body }: { status: number; body: string }, isOfClock = false) {
    const { code, message } = said(body)
    super(message || `answered ${status}`)
    this.name = code || `Http${status}`
    this.status = status
    this.isOfClock = isOfClock
  }
}

/** Node's own words for a connection that is gone; the SDK calls it a timeout. */
const lost = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT']
const unreachable = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']

/** No answer, or none that ends. Whether the service did what it was asked is not known. */
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
  /** It will fail the same way. */
  | 'Final'
  | 'Transient'
  /** There is too much for the service to do. */
  | 'Throttled'

export function prospectOf(error: unknown): Prospect {
  if (error instanceof NoAnswerError)
    return lost.includes(error.code) || unreachable.includes(error.code) ? 'Transient' : 'Final'
  if (!(error instanceof ServiceError)) return 'Final'
  if (error.status === 429 || throttled.includes(error.name)) return 'Throttled'
  return error.status >= 500 || error.isOfClock || passing.includes(error.name) ? 'Transient' : 'Final'
}

/** S3 answers in XML, SQS in JSON; what stands between may answer in anything. */
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
