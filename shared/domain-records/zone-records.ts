/** Builds the DNS records of a plan. Pure. */
import type { PublishedCertificate } from '../contract/certificates.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { formatPolicyRecord } from '../net/mta-sts/published.ts'
import { tlsReportRecordName } from '../tls-reports/report-destinations.ts'
import { type DnsOptions, type Plan, sesSender } from './publication-plan.ts'

/** The domain whose SPF record lists the addresses of Amazon SES. */
export const sesSpfName = 'amazonses.com'

/** A line of a zone file. */
export interface ZoneRecord {
  name: string
  type: string
  value: string
}

export const tlsaName = (host: string): string => `_25._tcp.${host}`
export const mtaStsRecordName = (domain: string): string => `_mta-sts.${domain}`
export const dmarcName = (domain: string): string => `_dmarc.${domain}`
export const dkimKeyName = (selector: string, domain: string): string =>
  `${selector}.${domainKeysName(domain)}`
/**
 * Returns the selector in comparable form; null unless it can be part of a name. The whole name is normalised, because a
 * selector may be a number, which alone would be an IPv4 address.
 */
export function normaliseSelector(text: string, domain: string): string | null {
  const suffix = dkimKeyName('', domain)
  return normaliseDomain(`${text}${suffix}`)?.slice(0, -suffix.length) ?? null
}
export const domainKeysName = (domain: string): string => `_domainkey.${domain}`
export const policyHostOf = (domain: string): string => `mta-sts.${domain}`
export const policyUrl = (domain: string): string => `https://${policyHostOf(domain)}/.well-known/mta-sts.txt`

export const mxValues = ({ hosts }: Plan): string[] => hosts.map((host) => `10 ${host}.`)

/** SPF mechanisms for each sender in the plan (RFC 7208 §4.6). */
export const spfTerms = ({ egress }: Pick<DnsOptions, 'egress'>): string[] =>
  egress.map((sender) =>
    sender === sesSender ? `include:${sesSpfName}` : `${sender.includes(':') ? 'ip6' : 'ip4'}:${sender}`,
  )

export const spfValue = (plan: Plan): string => `v=spf1 ${spfTerms(plan).join(' ')} -all`

export const reportAddressOf = ({ reportAddress, domain }: Plan): string =>
  reportAddress ?? `tls-reports@${domain}`

/** RFC 8460 §3: separator characters in an address must be percent-encoded. */
export const tlsRptValue = (plan: Plan): string =>
  `v=TLSRPTv1; rua=mailto:${reportAddressOf(plan).replaceAll(/[%,!;?]/g, encodeURIComponent)}`

/** Returns one record for each key: a renewed certificate may keep the key. */
export const tlsaValues = (certificates: readonly PublishedCertificate[]): string[] => [
  ...new Set(certificates.map(({ publicKeyFingerprint256 }) => `3 1 1 ${publicKeyFingerprint256}`)),
]

/** Returns the current and the next certificates. */
export const servedOrNext = (certificates: readonly PublishedCertificate[]): PublishedCertificate[] =>
  certificates.filter(({ state }) => state !== 'Deprecated')

export function zoneRecords(plan: Plan): ZoneRecord[] {
  const { domain, hosts, certificates, policy } = plan
  const texts = [
    [domain, spfValue(plan)],
    [mtaStsRecordName(domain), formatPolicyRecord(policy)],
    [tlsReportRecordName(domain), tlsRptValue(plan)],
  ] as const
  return [
    ...mxValues(plan).map((value) => ({ name: domain, type: 'MX', value })),
    ...texts.map(([name, value]) => ({ name, type: 'TXT', value: quotedText(value) })),
    ...hosts.flatMap((host) =>
      tlsaValues(servedOrNext(certificates ?? [])).map((value) => ({
        name: tlsaName(host),
        type: 'TLSA',
        value,
      })),
    ),
  ].map((record) => ({ ...record, name: `${record.name}.` }))
}

/** Writes a TXT record in zone file syntax: strings of at most 255 octets (RFC 1035 §3.3.14). */
export const quotedText = (text: string): string =>
  (text.match(/[\s\S]{1,255}/g) ?? ['']).map((part) => `"${part.replaceAll(/["\\]/g, '\\$&')}"`).join(' ')
