/** What the API refuses, in its own words (RFC 9457); what the gateway before it refuses, in ours. */
import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { faultText } from '../../shared/contract/schema-faults.ts'
import { Fault } from '../faults.ts'

const ProblemDetails = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
})

/** API Gateway's own answers, with either letter case. */
const GatewayAnswer = z.object({ message: z.string().nullish(), Message: z.string().nullish() })

/** A refusal, with its status for who can go on from it. */
export class Refusal extends Fault {
  readonly status: number

  constructor(status: number, message: string, lines: readonly string[]) {
    super(message, lines)
    this.status = status
  }
}

/**
 * @param json the answer's body, undefined when it is no JSON
 * @param asked method and path
 */
export function faultOf(status: number, json: unknown, asked: string): Refusal {
  const problem = ProblemDetails.safeParse(json)
  const title = STATUS_CODES[status] ?? `status ${status}`
  if (problem.success && (problem.data.title !== undefined || problem.data.detail !== undefined)) {
    const { detail, errors, instance } = problem.data
    const message = [problem.data.title ?? title, detail].filter(Boolean).join(': ')
    // The log of the API is searched by the request's own id, which only a fault of ours needs.
    const request = status >= 500 && instance !== undefined ? [`The log has it as ${instance}.`] : []
    return new Refusal(status, message, [...errors.map(faultText), ...request])
  }
  const gateway = GatewayAnswer.safeParse(json).data
  const said = gateway?.message ?? gateway?.Message
  return new Refusal(status, `${asked}: ${status} ${said ?? title}`, [...hintsFor(status)])
}

function hintsFor(status: number): string[] {
  if (status === 401) return ['The API wants a token: --token, or MAILFLOW_TOKEN.']
  if (status === 403)
    return ['The API wants an AWS signature of someone who may call it: --region, and credentials for AWS.']
  return []
}
