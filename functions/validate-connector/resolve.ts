/** Resolves the next hops of a connector, each name separately, so that a name that does not resolve is reported. */
import { isIP, isIPv6 } from 'node:net'
import { maxHosts, type ValidationStep } from '../../shared/connectors/validation.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import {
  findNextHops,
  type NextHop,
  type RoutingOptions,
  type SmtpRoute,
} from '../../shared/net/next-hops.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import { measureDuration, stepOf } from './steps.ts'

export interface ResolveOptions extends RoutingOptions {
  resolver: Resolver
  /** Whether this function has IPv6. */
  ipv6: boolean
}

export interface ResolvedTarget {
  step: ValidationStep
  hops: NextHop[]
}

/** @returns at most `maxHosts` hops in total; those of one target are in the order of a delivery */
export async function resolveTargets(route: SmtpRoute, options: ResolveOptions): Promise<ResolvedTarget[]> {
  const routes: SmtpRoute[] =
    route.kind === 'Mx'
      ? [route]
      : route.hosts.slice(0, maxHosts).map((host) => ({ kind: 'SmartHosts', hosts: [host] }))
  const targets = await Promise.all(routes.map((targetRoute) => resolveTarget(targetRoute, options)))
  return limitHops(targets, route)
}

async function resolveTarget(route: SmtpRoute, options: ResolveOptions): Promise<ResolvedTarget> {
  const host = route.kind === 'Mx' ? route.domain : (route.hosts[0]?.host ?? null)
  const { value: nextHops, durationMs } = await measureDuration(() =>
    findNextHops(route, options.resolver, options),
  )
  const common = { step: 'Resolve', host, durationMs } as const
  if (nextHops.kind === 'NotFound')
    return { step: stepOf({ ...common, succeeded: false, detail: formatReply(nextHops.reply) }), hops: [] }
  const { hops, skipped } = options.ipv6 ? { hops: nextHops.hops, skipped: 0 } : withoutIpv6(nextHops.hops)
  const detail = [
    describeHops(hops, host),
    ...(skipped > 0 ? [`${skipped} IPv6 addresses are skipped: this function has no IPv6`] : []),
  ].join('. ')
  return { step: stepOf({ ...common, succeeded: true, detail }), hops }
}

/**
 * A delivery tries IPv4 first, and IPv6 is unreachable from this function. A host that has only IPv6 addresses stays
 * in the list, so that it fails as in a delivery.
 */
function withoutIpv6(hops: readonly NextHop[]): { hops: NextHop[]; skipped: number } {
  const reachable = new Set(hops.filter(({ ip }) => !isIPv6(ip)).map(({ host }) => host))
  const usableHops = hops.filter(({ host, ip }) => !isIPv6(ip) || !reachable.has(host))
  return { hops: usableHops, skipped: hops.length - usableHops.length }
}

function describeHops(hops: readonly NextHop[], name: string | null): string {
  if (name !== null && isIP(name)) return 'An IP address; no lookup needed'
  return hops.map(({ host, ip }) => (host === name ? ip : `${host} ${ip}`)).join(', ')
}

/** Drops the hops beyond `maxHosts`, and adds a step with the number of hosts and addresses that were not tried. */
function limitHops(targets: ResolvedTarget[], route: SmtpRoute): ResolvedTarget[] {
  const allHops = targets.flatMap(({ hops }) => hops)
  const unresolved = route.kind === 'Mx' ? 0 : Math.max(0, route.hosts.length - maxHosts)
  if (unresolved === 0 && allHops.length <= maxHosts) return targets
  const triedHops = new Set(allHops.slice(0, maxHosts))
  const untriedText = [
    ...(unresolved > 0 ? [`${unresolved} smart hosts`] : []),
    ...(allHops.length > maxHosts ? [`${allHops.length - maxHosts} addresses`] : []),
  ].join(' and ')
  const detail = `A validation tries at most ${maxHosts} addresses; ${untriedText} were not tried`
  return [
    ...targets.map(({ step, hops }) => ({ step, hops: hops.filter((hop) => triedHops.has(hop)) })),
    { step: stepOf({ step: 'Resolve', succeeded: true, detail }), hops: [] },
  ]
}
