/** Fetches a domain's current policy from its policy host (RFC 8461 §3.3). */
import type { TlsResult } from '../../contract/tls-result.ts'
import { inOneLine } from '../../mail/peer-words.ts'
import type { ForeignLimits, ForeignOptions } from '../foreign-exchange.ts'
import { askForeign } from '../foreign-https.ts'
import { type PolicyText, readPolicy } from './policy.ts'

export type Fetched =
  | { kind: 'Policy'; policy: PolicyText }
  /** `detail`: for people. */
  | { kind: 'Failed'; result: FetchFault; detail: string }

export type FetchFault = Extract<
  TlsResult,
  'sts-policy-fetch-error' | 'sts-policy-invalid' | 'sts-webpki-invalid'
>

/** RFC 8461 §3.3 suggests a minute and 64 kilobytes. */
export const fetchLimits: ForeignLimits = { whole: 60_000, silence: 15_000, body: 65_536 }

/**
 * Never throws. Follows no redirect; accepts only a 200 with `text/plain`.
 * @param domain in comparable form
 */
export async function fetchPolicy(domain: string, options: ForeignOptions): Promise<Fetched> {
  const answer = await askForeign(options, {
    host: `mta-sts.${domain}`,
    path: '/.well-known/mta-sts.txt',
    method: 'GET',
    headers: { Accept: 'text/plain' },
  })
  if (answer.kind === 'Failed')
    return failed(
      answer.cause === 'Certificate' ? 'sts-webpki-invalid' : 'sts-policy-fetch-error',
      answer.detail,
    )
  const { status, contentType, body } = answer
  if (status !== 200) return failed('sts-policy-fetch-error', `The policy host answered ${status}`)
  if (contentType !== 'text/plain')
    return failed('sts-policy-fetch-error', `The policy host answered ${contentType || 'no content type'}`)
  const read = readPolicy(body)
  return read.kind === 'Policy' ? read : failed('sts-policy-invalid', read.fault)
}

const failed = (result: FetchFault, detail: string): Fetched => ({
  kind: 'Failed',
  result,
  detail: inOneLine(detail, 250),
})
