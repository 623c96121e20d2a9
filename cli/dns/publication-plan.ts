/** Plans what to publish for a domain, with its MTA-STS policy; `zone-records.ts` has the records. Pure. */

import type { PublishedCertificate } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { PolicyContent } from '../../shared/net/mta-sts/policy.ts'
import { formatPolicy } from '../../shared/net/mta-sts/published.ts'

/** The value of `egress` for Amazon SES. */
export const sesSender = 'ses'

/** The parsed options. Null means: as published, or the default. */
export interface DnsOptions {
  /** In comparable form, like the hosts. */
  domain: string
  /** Hosts of the MX records; empty for the gateway's own name. */
  hosts: readonly string[]
  mode: 'testing' | 'enforce' | null
  /** Seconds. */
  maxAgeSeconds: number | null
  reportAddress: string | null
  /** IP addresses that send mail, and `ses` for Amazon SES. */
  egress: readonly string[]
}

export interface Plan extends DnsOptions {
  /** The published certificates; null when the gateway has published none. */
  certificates: readonly PublishedCertificate[] | null
  policy: PolicyContent & { text: string; id: string }
}

const defaultMaxAgeSeconds = 7 * daySeconds
/** RFC 8461 §10.2: an attacker who blocks the policy host for that long disables the policy. */
export const minMaxAgeSeconds = daySeconds

/** @param served the policy that the policy host serves; the plan keeps its values unless an option changes them */
export function createPlan(
  options: DnsOptions,
  certificates: readonly PublishedCertificate[] | null,
  served: PolicyContent | null,
): Plan {
  const current = served?.mode === 'none' ? null : served
  const mode = options.mode ?? (current?.mode === 'enforce' ? 'enforce' : 'testing')
  const maxAge =
    options.maxAgeSeconds ??
    (current && current.maxAge >= minMaxAgeSeconds ? current.maxAge : defaultMaxAgeSeconds)
  const mx = [...options.hosts]
  const policy = formatPolicy({ mxHosts: mx, mode, maxAgeSeconds: maxAge })
  return { ...options, certificates, policy: { mode, maxAge, mx, ...policy } }
}
