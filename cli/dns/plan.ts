/** What should be published for a domain. Pure. */
import type { PublishedCertificate } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { PolicyText } from '../../shared/net/mta-sts/policy.ts'
import { policyRecord, publishedPolicy } from '../../shared/net/mta-sts/published.ts'
import { recordName } from '../../shared/tls-reports/record.ts'
import { quotedText } from './check.ts'

/** How Amazon SES is called among senders, and the name that has its addresses. */
export const ses = 'ses'
export const sesRecord = 'amazonses.com'

/** What the caller says; the rest is taken from what is there, or has its default. */
export interface Wish {
  /** In comparable form, as are the hosts. */
  domain: string
  hosts: readonly string[]
  mode: 'testing' | 'enforce' | null
  /** Seconds. */
  maxAge: number | null
  reportAddress: string | null
  /** Addresses that mail leaves from, and `ses` where Amazon SES sends it. */
  egress: readonly string[]
}

export interface Plan extends Wish {
  /** Of the mail server's certificate, now and next; null where the gateway has published none. */
  certificates: readonly PublishedCertificate[] | null
  policy: PolicyText & { text: string; id: string }
}

/** A line of a zone file. */
export interface ZoneRecord {
  name: string
  type: string
  value: string
}

const usualAge = 7 * daySeconds
/** RFC 8461 §10.2: whoever can block the policy host for so long has a domain without a policy. */
export const shortestAge = daySeconds

/**
 * @param served the policy that the policy host hands out; what nobody asked to be changed stays as it is there
 */
export function planOf(
  wish: Wish,
  certificates: readonly PublishedCertificate[] | null,
  served: PolicyText | null,
): Plan {
  const kept = served?.mode === 'none' ? null : served
  const mode = wish.mode ?? (kept?.mode === 'enforce' ? 'enforce' : 'testing')
  const maxAge = wish.maxAge ?? (kept && kept.maxAge >= shortestAge ? kept.maxAge : usualAge)
  const mx = [...wish.hosts]
  const policy = publishedPolicy({ mxHosts: mx, mode, maxAgeSeconds: maxAge })
  return { ...wish, certificates, policy: { mode, maxAge, mx, ...policy } }
}

export const tlsaName = (host: string): string => `_25._tcp.${host}`
export const announcementName = (domain: string): string => `_mta-sts.${domain}`
export const policyHostOf = (domain: string): string => `mta-sts.${domain}`
export const policyAddress = (domain: string): string =>
  `https://${policyHostOf(domain)}/.well-known/mta-sts.txt`

export const mxOf = ({ hosts }: Plan): string[] => hosts.map((host) => `10 ${host}.`)

/** RFC 7208 §4.6: each of our senders, and nobody else. */
export const spfTerms = ({ egress }: Pick<Wish, 'egress'>): string[] =>
  egress.map((sender) =>
    sender === ses ? `include:${sesRecord}` : `${sender.includes(':') ? 'ip6' : 'ip4'}:${sender}`,
  )

export const spfOf = (plan: Plan): string => `v=spf1 ${spfTerms(plan).join(' ')} -all`

export const reportAddressOf = ({ reportAddress, domain }: Plan): string =>
  reportAddress ?? `tls-reports@${domain}`

/** RFC 8460 §3: in an address, what separates places would have to be encoded. */
export const tlsRptOf = (plan: Plan): string =>
  `v=TLSRPTv1; rua=mailto:${reportAddressOf(plan).replaceAll(/[%,!;?]/g, encodeURIComponent)}`

/** Of each key once; a renewed certificate may have the old one's. */
export const tlsaOf = (certificates: readonly PublishedCertificate[]): string[] => [
  ...new Set(certificates.map(({ publicKeyFingerprint256 }) => `3 1 1 ${publicKeyFingerprint256}`)),
]

/** Those that are served, and those that will be. */
export const servedOf = (certificates: readonly PublishedCertificate[]): PublishedCertificate[] =>
  certificates.filter(({ state }) => state !== 'Deprecated')

export function zoneOf(plan: Plan): ZoneRecord[] {
  const { domain, hosts, certificates, policy } = plan
  const texts = [
    [domain, spfOf(plan)],
    [announcementName(domain), policyRecord(policy)],
    [recordName(domain), tlsRptOf(plan)],
  ] as const
  return [
    ...mxOf(plan).map((value) => ({ name: domain, type: 'MX', value })),
    ...texts.map(([name, value]) => ({ name, type: 'TXT', value: quotedText(value) })),
    ...hosts.flatMap((host) =>
      tlsaOf(servedOf(certificates ?? [])).map((value) => ({ name: tlsaName(host), type: 'TLSA', value })),
    ),
  ].map((record) => ({ ...record, name: `${record.name}.` }))
}
