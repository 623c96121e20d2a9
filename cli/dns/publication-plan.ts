/** What should be published for a domain, and the MTA-STS policy to publish; `zone-records.ts` has the records. Pure. */

import type { PublishedCertificate } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { PolicyText } from '../../shared/net/mta-sts/policy.ts'
import { publishedPolicy } from '../../shared/net/mta-sts/published.ts'

/** How Amazon SES is called among senders. */
export const ses = 'ses'

/** What the options say. What they leave out is as it is published, or has its default. */
export interface Wish {
  /** In comparable form, as are the hosts. */
  domain: string
  /** Names in the MX records; as an option may say none, for the gateway's own. */
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
