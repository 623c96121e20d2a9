/** `/accepted-domains/{domain}/conformance`: compares a domain's MX hosts and records with published standards. */
import {
  type ConformanceCriterion,
  type DomainConformance,
  readDomainConformance,
} from '../../shared/conformance/domain-conformance.ts'
import { domainResults } from '../../shared/conformance/domain-criteria.ts'
import { softwareVersion } from '../../shared/contract/software-version.ts'
import { type Route, route } from '../../shared/http-api/route.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { DnsAnswer, MxRecord } from '../../shared/net/dns/answer.ts'
import { deliveryCriteria, hostCriteria } from './conformance/host-criteria.ts'
import { measureHost } from './conformance/measure-host.ts'
import { RecentMeasurements, type TimedMeasurement } from './conformance/recent-measurements.ts'
import {
  acceptedDomainOf,
  checkDomainRecords,
  type DomainDnsDependencies,
  defaultTotalMs,
} from './domain-dns.ts'

const mxTimeoutMs = 5_000
/** After the queries of the records, so that a host that answers slowly is measured as far as possible. */
const additionalMs = 3_000
/** Further hosts are named, but not measured. */
const maxMeasuredHosts = 3
const maxHosts = 20

export interface ConformanceDependencies extends DomainDnsDependencies {
  /** Port of MX hosts. @default 25 */
  smtpPort?: number
}

export function domainConformanceRoute(dependencies: ConformanceDependencies): Route {
  const { resolver, privateNetworks, hostname, now, totalMs = defaultTotalMs, smtpPort = 25 } = dependencies
  const recent = new RecentMeasurements(now)
  return route(readDomainConformance, async ({ parameter }) => {
    const domain = await acceptedDomainOf(parameter, dependencies)
    const startedAt = now()
    const mx = await resolver.query(domain, 'MX', AbortSignal.timeout(Math.min(mxTimeoutMs, totalMs)))
    const hosts = mxHostsOf(mx)
    const leftMs = () => totalMs + additionalMs - (now() - startedAt)
    const measure = (host: string) =>
      measureHost(host, { resolver, privateNetworks, hostname, smtpPort, totalMs: leftMs() })
    const [measurements, records] = await Promise.all([
      Promise.all(hosts.slice(0, maxMeasuredHosts).map((host) => recent.measure(host, measure))),
      checkDomainRecords(domain, dependencies, {
        hosts,
        totalMs: Math.max(0, totalMs - (now() - startedAt)),
      }),
    ])
    const body: DomainConformance = {
      domain,
      checkedAt: new Date(startedAt).toISOString(),
      softwareVersion,
      detail: hosts.length > 0 ? null : noHostText(domain, mx),
      hosts: [
        ...measurements.map(describeMeasurement),
        ...hosts.slice(maxMeasuredHosts).map((host) => ({
          host,
          isGateway: host === hostname,
          port: smtpPort,
          state: 'NotMeasured' as const,
          detail: `Only the first ${maxMeasuredHosts} MX hosts are measured`,
          measuredAt: new Date(startedAt).toISOString(),
        })),
      ],
      criteria: [
        ...measurements.flatMap(hostCriteria),
        ...domainResults(records).map(
          (result): ConformanceCriterion => ({
            ...result,
            references: [...result.references],
            subject: 'Domain',
            host: null,
            source: ['CUSTOMER', 'NOT MEASURED'].includes(result.verdict) ? 'None' : 'Dns',
          }),
        ),
        ...deliveryCriteria(),
      ],
    }
    return { status: 200, body }
  })
}

const describeMeasurement = ({ facts: _, measuredAt, ...measurement }: TimedMeasurement) => ({
  ...measurement,
  measuredAt: measuredAt.toISOString(),
})

function noHostText(domain: string, mx: DnsAnswer<MxRecord>): string {
  if (mx.kind === 'Failed') return `The query for the MX records of ${domain} failed (${mx.code})`
  if (mx.kind !== 'Found') return `${domain} has no MX record`
  return mx.records.every(({ exchange }) => isNullMx(exchange))
    ? `${domain} accepts no mail (null MX)`
    : `The MX records of ${domain} name no valid host`
}

const isNullMx = (exchange: string): boolean => exchange === '' || exchange === '.'

/** Best first, in comparable form; a null MX (RFC 7505) names no host. */
function mxHostsOf(mx: DnsAnswer<MxRecord>): string[] {
  if (mx.kind !== 'Found') return []
  const names = mx.records
    .toSorted((a, b) => a.preference - b.preference)
    .map(({ exchange }) => (isNullMx(exchange) ? null : normaliseDomain(exchange)))
  return [...new Set(names.filter((name) => name !== null))].slice(0, maxHosts)
}
