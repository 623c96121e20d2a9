/** What the gateway's API says about the gateway and a domain. */
import { z } from 'zod'
import { PublishedCertificate } from '../../../shared/contract/certificates.ts'
import { type ApiClient, escaped } from '../../api/client.ts'
import { Refusal } from '../../api/problem.ts'
import { Fault } from '../../faults.ts'
import type { Wish } from '../publication-plan.ts'

export interface GatewayFacts {
  /** Names in the MX records; the gateway's own where the wish names none. */
  hosts: readonly string[]
  /** Null where the gateway has published none. */
  certificates: readonly PublishedCertificate[] | null
  /** Whether the gateway takes mail for the domain. */
  accepted: boolean
}

/** What is read of the answer. The gateway of another version may say more. */
const Published = z.object({ hostname: z.string(), certificates: z.array(PublishedCertificate.loose()) })

/** @throws Fault where neither the gateway nor the wish names a host */
export async function gatherGatewayFacts(
  api: ApiClient,
  { domain, hosts: named }: Pick<Wish, 'domain' | 'hosts'>,
): Promise<GatewayFacts> {
  const published = await orNull(api.get(Published, '/certificates'))
  const accepted = (await orNull(api.get(z.unknown(), `/accepted-domains/${escaped(domain)}`))) !== null
  const hosts = named.length > 0 ? [...new Set(named)] : published === null ? [] : [published.hostname]
  if (hosts.length === 0)
    throw new Fault('the gateway has not published its certificates yet, so its name is not known', [
      'Say which name the MX records have: --host HOST.',
    ])
  return { hosts, certificates: published?.certificates ?? null, accepted }
}

/** Null for what is not there. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return null
    throw error
  }
}
