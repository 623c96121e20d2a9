/**
 * Answers a custom resource of CloudFormation: a deployment waits until the secret is filled, then starts the task that
 * reads the secret. The event names the response URL. Only hosts of AWS are accepted, so that no other host receives
 * the response.
 */
import * as z from 'zod'

const CustomResourceRequest = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url({ protocol: /^https$/, hostname: /\.amazonaws\.com(\.cn)?$/ }),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
})

const responseTimeoutMs = 10_000

/**
 * Runs `work`, and sends its outcome to the response URL of a deployment's event. A deletion runs nothing.
 * @throws the error of `work` when no deployment sent the event; Error when CloudFormation does not accept the
 * response
 */
export async function respondToDeployment<T>(
  event: unknown,
  work: () => Promise<T>,
  send: typeof fetch = fetch,
): Promise<T | null> {
  const parsed = CustomResourceRequest.safeParse(event)
  if (!parsed.success) return work()
  const { ResponseURL, RequestType, ...request } = parsed.data
  let outcome: { Status: string; Reason: string }
  let result: T | null = null
  try {
    if (RequestType !== 'Delete') result = await work()
    outcome = { Status: 'SUCCESS', Reason: '' }
  } catch (error) {
    outcome = { Status: 'FAILED', Reason: (error as Error).message.slice(0, 1000) }
  }
  const body = JSON.stringify({ ...request, ...outcome, PhysicalResourceId: 'certificates' })
  const response = await send(ResponseURL, {
    method: 'PUT',
    body,
    signal: AbortSignal.timeout(responseTimeoutMs),
  })
  if (!response.ok) throw new Error(`CloudFormation did not accept the response: HTTP ${response.status}`)
  return result
}
