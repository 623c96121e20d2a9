/** Signs requests for API Gateway (AWS Signature Version 4) with the credentials of the AWS CLI. */
import { hash } from 'node:crypto'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'
import { Signer } from '../../shared/aws/signer.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { CommandError } from '../command-error.ts'
import type { ApiRequest } from './api-client.ts'

const credentials = fromNodeProviderChain()

/** @returns the headers of the request, and the headers of the signature */
export async function signRequest(request: ApiRequest, region: string): Promise<Record<string, string>> {
  const { url, method, headers, body = '' } = request
  const identity = await credentials().catch((error: unknown) => {
    throw new CommandError(`no AWS credentials to sign the request: ${errorMessage(error)}`)
  })
  const payload = hash('sha256', body)
  const { host: _host, ...signed } = new Signer({ region, service: 'execute-api' }).sign(
    {
      method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: { ...headers, host: url.host, 'x-amz-content-sha256': payload },
      payloadHash: payload,
    },
    identity,
    new Date(),
  )
  return signed
}
