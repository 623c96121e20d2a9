/** Plans the records and the MTA-STS policy of a domain; `zone-records.ts` builds the records. Pure. */

import type { PublishedCertificate } from '../contract/certificates.ts'
import { daySeconds } from '../contract/durations.ts'
import type { PolicyContent } from '../net/mta-sts/policy.ts'
import { formatPolicy } from '../net/mta-sts/published.ts'

/** The value of `egress` for Amazon SES. */
export const sesSender = 'ses'

/** How the reader of the findings does what they advise; each text continues a sentence, and has no full stop. */
export interface Instructions {
  /** After "When the reports show no failures, ". */
  enforcePolicy: string
  /** After "Use ". */
  dnssecResolver: string
  /** After "check each". */
  checkSelector: string
}

/**
 * The parsed options. Null: the option is not given, so the published value applies, or the default if there is none.
 */
export interface DnsOptions {
  /** In comparable form, like the hosts. */
  domain: string
  /** Hosts of the MX records; empty for the gateway's name. */
  hosts: readonly string[]
  mode: 'testing' | 'enforce' | null
  maxAgeSeconds: number | null
  reportAddress: string | null
  /** IP addresses that send mail, and `ses` for Amazon SES. */
  egress: readonly string[]
  /** Names before `._domainkey`. */
  dkimSelectors: readonly string[]
  instructions: Instructions
}

export interface Plan extends DnsOptions {
  /** The published certificates; null when the gateway has published no certificates. */
  certificates: readonly PublishedCertificate[] | null
  policy: PolicyContent & { text: string; id: string }
}

const defaultMaxAgeSeconds = 7 * daySeconds
/** RFC 8461 §10.2: an attacker who blocks the policy host for the whole max_age disables the policy. */
export const minMaxAgeSeconds = daySeconds

/**
 * @param served the policy that the policy host serves. Without the options, the plan keeps the mode of this policy,
 * and also its max_age, unless that is less than `minMaxAgeSeconds`. A policy with mode `none` is ignored.
 */
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
