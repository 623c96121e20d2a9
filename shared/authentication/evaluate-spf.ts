import { AuthenticationResult } from '../contract/authentication.ts'
import { normaliseDomain } from '../mail/domain.ts'
import type { MessageLookup } from './message-lookup.ts'
import type { Session, SpfOutcome } from './result-fields.ts'

/** SPF (RFC 7208) for the reverse path, or for HELO with the null reverse path (§2.4). */
export async function evaluateSpf(
  { ip, helo, mailFrom, hostname }: Session,
  { lookup }: MessageLookup,
): Promise<SpfOutcome> {
  const { spf } = await import('mailauth/lib/spf/index.js')
  const { status, domain } = await spf({
    ...{ sender: mailFrom, ip, helo, mta: hostname },
    ...{ resolver: lookup, strict: true },
  })
  return {
    result: AuthenticationResult.catch('permerror').parse(status.result),
    ...spfIdentity({ helo, mailFrom }, domain),
  }
}

export const spfIdentity = (
  { helo, mailFrom }: Pick<Session, 'helo' | 'mailFrom'>,
  domain = mailFrom === '' ? helo : mailFrom.slice(mailFrom.lastIndexOf('@') + 1),
): Omit<SpfOutcome, 'result'> => ({
  identity: mailFrom === '' ? 'helo' : 'mailfrom',
  domain: normaliseDomain(domain) ?? '',
})
