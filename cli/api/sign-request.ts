/** AWS Signature Version 4 for API Gateway, with the credentials that the AWS command line would use. */
import { hash } from 'node:crypto'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'
import { Signer } from '../../shared/aws/signature.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { Fault } from '../faults.ts'
import type { ApiRequest } from './client.ts'

const credentials = fromNodeProviderChain()

/** @returns the request's headers, and those that sign it */
export async function signRequest(request: ApiRequest, region: string): Promise<Record<string, string>> {
  const { url, method, headers, body = '' } = request
  const identity = await credentials().catch((error: unknown) => {
    throw new Fault(`there are no AWS credentials to sign with: ${errorMessage(error)}`)
  })
  const payload = hash('sha256', body)
  const { host: _host, ...signed } = new Signer({ region, service: 'execute-api' }).sign(
    {
      method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: { ...headers, host: url.host, 'x-amz-content-sha256': payload },
      payload,
    },
    identity,
    new Date(),
  )
  return signed
}
