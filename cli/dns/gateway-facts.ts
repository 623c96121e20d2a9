/** Requests the gateway's host name and certificates from its API, and whether the gateway accepts the domain. */
import * as z from 'zod'
import { PublishedCertificate } from '../../shared/contract/certificates.ts'
import type { DnsOptions } from '../../shared/domain-records/publication-plan.ts'
import { type ApiClient, encodeUrlPart } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import { CommandError } from '../command-error.ts'

export interface GatewayFacts {
  /** Hosts of the MX records; the gateway's name when the options name no host. */
  hosts: readonly string[]
  /** Null when the gateway has published no certificates. */
  certificates: readonly PublishedCertificate[] | null
  /** Whether the domain is an accepted domain. */
  accepted: boolean
}

/** The fields that are read. Others are ignored, so that newer gateways work. */
const CertificatesResponse = z.object({
  hostname: z.string(),
  certificates: z.array(PublishedCertificate.loose()),
})

/** @throws CommandError when neither the gateway nor the options name a host */
export async function gatherGatewayFacts(
  api: ApiClient,
  { domain, hosts: hostOptions }: Pick<DnsOptions, 'domain' | 'hosts'>,
): Promise<GatewayFacts> {
  const published = await nullIfNotFound(api.get(CertificatesResponse, '/certificates'))
  const accepted =
    (await nullIfNotFound(api.get(z.unknown(), `/accepted-domains/${encodeUrlPart(domain)}`))) !== null
  const hosts =
    hostOptions.length > 0 ? [...new Set(hostOptions)] : published === null ? [] : [published.hostname]
  if (hosts.length === 0)
    throw new CommandError(
      'the gateway has not published its certificates yet, so its host name is unknown',
      ['Give the host name of the MX records: --host HOST.'],
    )
  return { hosts, certificates: published?.certificates ?? null, accepted }
}

/** Returns null for a 404. */
async function nullIfNotFound<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}
