/** Signs requests with the credentials of the AWS CLI (AWS Signature Version 4). */
import { hash } from 'node:crypto'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'
import { type Credentials, Signer } from '../../shared/aws/signer.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { CommandError } from '../command-error.ts'
import type { ApiRequest } from './api-client.ts'

const provider = fromNodeProviderChain()

/** @throws CommandError when there are no credentials */
export async function awsCredentials(): Promise<Credentials> {
  return await provider().catch((error: unknown) => {
    throw new CommandError(`no AWS credentials: ${errorMessage(error)}`)
  })
}

/**
 * @param service the service's name in the credential scope, such as `execute-api`
 * @returns the headers of the request, and the headers of the signature
 */
export async function signAwsRequest(
  { url, method, headers, body = '' }: ApiRequest,
  region: string,
  service: string,
): Promise<Record<string, string>> {
  const credentials = await awsCredentials()
  const payload = hash('sha256', body)
  const { host: _host, ...signed } = new Signer({ region, service }).sign(
    {
      method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: { ...headers, host: url.host, 'x-amz-content-sha256': payload },
      payloadHash: payload,
    },
    credentials,
    new Date(),
  )
  return signed
}
