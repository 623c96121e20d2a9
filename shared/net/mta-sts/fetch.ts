/** Fetches a domain's current policy from its policy host (RFC 8461 §3.3). */
import type { TlsResult } from '../../contract/tls-result.ts'
import { toSingleLine } from '../../mail/peer-text.ts'
import { fetchUntrusted } from '../untrusted-https.ts'
import type { UntrustedRequestLimits, UntrustedRequestOptions } from '../untrusted-request.ts'
import { type PolicyContent, parsePolicy } from './policy.ts'

export type FetchResult =
  | { kind: 'Policy'; policy: PolicyContent }
  /** `detail`: human-readable text. */
  | { kind: 'Failed'; result: FetchFault; detail: string }

export type FetchFault = Extract<
  TlsResult,
  'sts-policy-fetch-error' | 'sts-policy-invalid' | 'sts-webpki-invalid'
>

/** RFC 8461 §3.3 suggests a minute and 64 kilobytes. */
export const fetchLimits: UntrustedRequestLimits = {
  totalMs: 60_000,
  idleTimeoutMs: 15_000,
  maxBodyOctets: 65_536,
}

/**
 * Never throws. Follows no redirect; accepts only a 200 with `text/plain`.
 * @param domain in comparable form
 */
export async function fetchPolicy(domain: string, options: UntrustedRequestOptions): Promise<FetchResult> {
  const response = await fetchUntrusted(options, {
    host: `mta-sts.${domain}`,
    path: '/.well-known/mta-sts.txt',
    method: 'GET',
    headers: { Accept: 'text/plain' },
  })
  if (response.kind === 'Failed')
    return fetchFailed(
      response.cause === 'Certificate' ? 'sts-webpki-invalid' : 'sts-policy-fetch-error',
      response.detail,
    )
  const { status, contentType, body } = response
  if (status !== 200) return fetchFailed('sts-policy-fetch-error', `The policy host answered ${status}`)
  if (contentType !== 'text/plain')
    return fetchFailed(
      'sts-policy-fetch-error',
      `The policy host answered ${contentType || 'no content type'}`,
    )
  const parsed = parsePolicy(body)
  return parsed.kind === 'Policy' ? parsed : fetchFailed('sts-policy-invalid', parsed.fault)
}

const fetchFailed = (result: FetchFault, detail: string): FetchResult => ({
  kind: 'Failed',
  result,
  detail: toSingleLine(detail, 250),
})
