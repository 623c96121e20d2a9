/**
 * CloudFormation as the caller: it waits until the secret is filled, and goes on with the task that reads it. The answer
 * goes to an address that the event names; only one of AWS is answered, so that nobody else is told anything.
 */
import { z } from 'zod'

const Request = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url({ protocol: /^https$/, hostname: /\.amazonaws\.com(\.cn)?$/ }),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
})

/** Milliseconds. */
const patience = 10_000

/**
 * Does the work, and answers where a deployment asked for it. A stack that is removed asks for nothing.
 * @throws what the work throws, where nobody waits for an answer
 */
export async function forWhomeverAsks<T>(
  event: unknown,
  work: () => Promise<T>,
  send: typeof fetch = fetch,
): Promise<T | null> {
  const asked = Request.safeParse(event)
  if (!asked.success) return work()
  const { ResponseURL, RequestType, ...request } = asked.data
  let outcome: { Status: string; Reason: string }
  let result: T | null = null
  try {
    if (RequestType !== 'Delete') result = await work()
    outcome = { Status: 'SUCCESS', Reason: '' }
  } catch (error) {
    outcome = { Status: 'FAILED', Reason: (error as Error).message.slice(0, 1000) }
  }
  const body = JSON.stringify({ ...request, ...outcome, PhysicalResourceId: 'certificates' })
  const answer = await send(ResponseURL, { method: 'PUT', body, signal: AbortSignal.timeout(patience) })
  if (!answer.ok) throw new Error(`CloudFormation does not take the answer: ${answer.status}`)
  return result
}
