/** Checks whether the MX hosts have IPv6 addresses. Pure. */
import type { HostFacts } from '../facts/domain-facts.ts'
import { joinNames } from './assess-mail-routing.ts'
import { type RecordFinding, type Result, recordsOf } from './record-finding.ts'

/** Returns one finding for all hosts. Mail arrives over IPv4 without it, so a missing address is no fault. */
export function assessIpv6(hosts: readonly HostFacts[]): RecordFinding {
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    record: 'IPv6',
    name: joinNames(hosts.map(({ host }) => host)),
    result,
    published: hosts.flatMap(({ aaaa }) => recordsOf(aaaa)),
    wanted: [],
    says,
    optional: true,
  })
  const failures = hosts.flatMap(({ host, aaaa }) =>
    aaaa.kind === 'Failed' ? [`The query for the IPv6 addresses of ${host} failed (${aaaa.code}).`] : [],
  )
  const missing = hosts.filter(({ aaaa }) => aaaa.kind === 'NoData' || aaaa.kind === 'NoSuchName')
  if (missing.length > 0)
    return finding(
      'ADVICE',
      `No IPv6 address (AAAA): ${joinNames(missing.map(({ host }) => host))}. Mail arrives over IPv4, but internet.nl and some audits require IPv6.`,
      'Set ingress.ipv6 to true, deploy, and publish the addresses in the output MxIpv6Addresses (docs/deploy.md).',
      ...failures,
    )
  return failures.length > 0 ? finding('UNKNOWN', ...failures) : finding('OK')
}
