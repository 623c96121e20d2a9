/** Turns error responses of the API (RFC 9457) and of API Gateway into an ApiError. */
import { STATUS_CODES } from 'node:http'
import * as z from 'zod'
import { type Fault, faultText } from '../../shared/contract/schema-faults.ts'
import { CommandError } from '../command-error.ts'

const ProblemDetails = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
})

/** The error body of API Gateway itself. The letter case of the field name varies. */
const GatewayError = z.object({ message: z.string().nullish(), Message: z.string().nullish() })

/** An error response. Callers use `status` and `faults` to handle some errors. */
export class ApiError extends CommandError {
  readonly status: number
  /** Of the request, by field or parameter. */
  readonly faults: readonly Fault[]

  constructor(status: number, message: string, lines: readonly string[], faults: readonly Fault[] = []) {
    super(message, lines)
    this.status = status
    this.faults = faults
  }
}

/**
 * @param json the response body, undefined when it is not JSON
 * @param target method and path of the request
 */
export function toApiError(status: number, json: unknown, target: string): ApiError {
  const problem = ProblemDetails.safeParse(json)
  const title = STATUS_CODES[status] ?? `status ${status}`
  if (problem.success && (problem.data.title !== undefined || problem.data.detail !== undefined)) {
    const { detail, errors, instance } = problem.data
    const message = [problem.data.title ?? title, detail].filter(Boolean).join(': ')
    // The request id identifies the log entry, which is needed only for a server error.
    const request = status >= 500 && instance !== undefined ? [`Search the API's log for ${instance}.`] : []
    if (status === 400 && errors.length > 0) return new ApiError(status, optionFaultsText(errors), [], errors)
    return new ApiError(status, message, [...errors.map(faultText), ...request], errors)
  }
  const gateway = GatewayError.safeParse(json).data
  const gatewayMessage = gateway?.message ?? gateway?.Message
  return new ApiError(status, `${target}: ${status} ${gatewayMessage ?? title}`, [...hintsFor(status)])
}

/** The options of two parameters. Each other parameter has the option of its name: `minSize`, `--min-size`. */
const optionNames: Readonly<Record<string, string>> = { from: 'since', to: 'until' }

/** Returns one line that names options instead of parameters. */
export const optionFaultsText = (faults: readonly Fault[]): string =>
  faults.map((fault) => faultText(optionFault(fault))).join('; ')

function optionFault({ path, message }: Fault): Fault {
  const name = optionNames[path] ?? path.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return { path: path === '' ? path : `--${name}`, message }
}

function hintsFor(status: number): string[] {
  if (status === 401)
    return ['The API requires a token that has not expired: use --token, or set MAILFLOW_TOKEN.']
  if (status === 403)
    return [
      "The API requires a request signed by an authorised AWS identity: use --region with the stack's Region, and set AWS credentials.",
      'With a token, the token must have a required scope.',
    ]
  return []
}
