/** AWS Signature Version 4 for API Gateway, with the credentials that the AWS command line would use. */
import { Sha256 } from '@aws-crypto/sha256-js'
import { fromNodeProviderChain } from '@aws-sdk/credential-providers'
import { SignatureV4 } from '@smithy/signature-v4'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { Fault } from '../faults.ts'
import type { ApiRequest } from './client.ts'

const credentials = fromNodeProviderChain()

/** @returns the request's headers, and those that sign it */
export async function signed(request: ApiRequest, region: string): Promise<Record<string, string>> {
  const { url, method, headers, body } = request
  const identity = await credentials().catch((error: unknown) => {
    throw new Fault(`there are no AWS credentials to sign with: ${errorMessage(error)}`)
  })
  const signer = new SignatureV4({ credentials: identity, region, service: 'execute-api', sha256: Sha256 })
  const { headers: withSignature } = await signer.sign({
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: queryOf(url),
    headers: { ...headers, host: url.host },
    body: body ?? '',
  })
  const { host: _host, ...rest } = withSignature
  return rest
}

/** The signer sorts and encodes them itself. */
function queryOf(url: URL): Record<string, string[]> {
  const names = [...new Set(url.searchParams.keys())]
  return Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name)]))
}
