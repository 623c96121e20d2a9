/** Looks up the TLSA records of the ingress as its senders do. */
import { findDane } from '../../shared/net/find-dane.ts'
import { resolveAddresses } from '../../shared/net/next-hops.ts'
import { raceWithSignal } from '../../shared/net/race-with-signal.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import type { TlsaLookup } from './tlsa-status.ts'

const smtpPort = 25

/** Less than the function's timeout, with time left for its other steps. */
const lookupTimeoutMs = 25_000

/**
 * With a resolver that validates, the lookup is that of a sender (`findDane`). Records from another resolver count as
 * signed, because senders whose resolver validates may use them.
 * @param isResolverValidating whether the AD bit of the resolver is meaningful
 */
export async function lookUpTlsa(
  host: string,
  resolver: Resolver,
  isResolverValidating: boolean,
): Promise<TlsaLookup> {
  const lookup = isResolverValidating ? lookUpAsSender(host, resolver) : queryRecords(host, resolver, false)
  const timedOut = {
    kind: 'Failed',
    detail: 'the lookup timed out',
    isResolverValidating,
  } as const
  return (await raceWithSignal(lookup, AbortSignal.timeout(lookupTimeoutMs))) ?? timedOut
}

async function lookUpAsSender(host: string, resolver: Resolver): Promise<TlsaLookup> {
  const { ips, failure, proof } = await resolveAddresses(host, resolver)
  if (failure && ips.length === 0) return { kind: 'Failed', detail: failure.text, isResolverValidating: true }
  const dane = await findDane({ host, port: smtpPort, mxDomains: [], ...proof }, resolver)
  if (dane.kind === 'None') return dane
  if (dane.kind === 'Failed') return { kind: 'Failed', detail: dane.reply.text, isResolverValidating: true }
  return queryRecords(dane.baseDomain, resolver, true)
}

async function queryRecords(
  baseDomain: string,
  resolver: Resolver,
  isResolverValidating: boolean,
): Promise<TlsaLookup> {
  const answer = await resolver.query(`_${smtpPort}._tcp.${baseDomain}`, 'TLSA')
  if (answer.kind === 'Failed')
    return { kind: 'Failed', detail: `TLSA records of ${baseDomain}: ${answer.code}`, isResolverValidating }
  if (answer.kind !== 'Found') return { kind: 'None' }
  const { records, ttlSeconds } = answer
  return { kind: 'Records', records, ttlSeconds }
}
