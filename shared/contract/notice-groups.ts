/** Which notices of unknown certificates share a limit, and which repeat an earlier notice. Pure. */
import * as z from 'zod'
import type { CertificateNotice } from './jobs.ts'

/**
 * Notices of one group share their limits. `VouchedFor` and `ConnectorAuthority`: certificates that an attacker cannot
 * create, so that an attacker cannot use up their limits. `Other`: certificates that anyone can create.
 */
export type LimitGroup = 'VouchedFor' | 'ConnectorAuthority' | 'Other'

export function limitGroupOf({
  vouchedFor,
  facts,
}: Pick<CertificateNotice, 'vouchedFor' | 'facts'>): LimitGroup {
  if (vouchedFor) return 'VouchedFor'
  const { issuedByConnectorAuthority, issuedByPublicRoot } = facts
  return issuedByConnectorAuthority && !issuedByPublicRoot ? 'ConnectorAuthority' : 'Other'
}

/**
 * Notices with the same effect repeat each other. `Refused`: the mail is refused in session, or bounced if the connector
 * changed after its session. A held message bounces at expiry, and the notice `Held` announced that.
 */
export const NoticeEffect = z.enum(['Refused', 'Held', 'RecordedOnly', 'RelayDenied'])
export type NoticeEffect = z.output<typeof NoticeEffect>

export function effectOf({
  consequence,
  connector,
}: Pick<CertificateNotice, 'consequence' | 'connector'>): NoticeEffect {
  if (consequence === 'RefusedInSession') return 'Refused'
  if (consequence === 'Bounced') return connector.onViolation === 'Defer' ? 'Held' : 'Refused'
  return consequence
}
