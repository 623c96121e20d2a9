/** Invokes check-recipient. The ingress itself opens no session to a mail server, and reads no client certificate. */
import type { ProvidedCredentials } from '../../../shared/aws/credentials-cache.ts'
import { classifyError } from '../../../shared/aws/errors.ts'
import { FunctionInvoker } from '../../../shared/aws/function-invoker.ts'
import { CalloutResult } from '../../../shared/contract/recipient-callout.ts'
import type { CalloutInvoker } from './callouts.ts'

/** The function answers within 12 seconds, and needs up to three more to start. */
const timeouts = { connectMs: 2000, totalMs: 15_000 }

export function createCalloutInvoker(
  environment: {
    CHECK_RECIPIENT_FUNCTION_ARN?: string | undefined
    AWS_ENDPOINT_URL_LAMBDA?: string | undefined
  },
  credentials: () => Promise<ProvidedCredentials>,
): CalloutInvoker {
  const { CHECK_RECIPIENT_FUNCTION_ARN: functionArn, AWS_ENDPOINT_URL_LAMBDA: endpoint } = environment
  if (functionArn === undefined)
    return async () => ({ result: 'Undetermined', detail: 'CHECK_RECIPIENT_FUNCTION_ARN is not set' })
  const invoker = new FunctionInvoker({ functionArn, credentials, timeouts, endpoint })
  return async (address) => {
    try {
      return CalloutResult.parse(await invoker.invoke({ address }))
    } catch (error) {
      if (classifyError(error) === 'Throttled') return 'Throttled'
      throw error
    }
  }
}
