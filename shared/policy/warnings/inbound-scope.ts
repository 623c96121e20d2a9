/** Warns about the scope of an inbound connector, and about senders that its tenant of Exchange Online may not use. */
import type { AcceptedDomain, InboundConnector } from '../../connectors/schema.ts'
import { proseList } from '../text-lists.ts'
import type { Warning } from './warning.ts'

/** A misspelt domain would leave mail without the connector's requirements. */
export function scopeWarnings(
  { associatedAcceptedDomains: scope, connectorType }: InboundConnector,
  acceptedDomains: readonly Pick<AcceptedDomain, 'domain'>[],
): Warning[] {
  const accepted = new Set(acceptedDomains.map(({ domain }) => domain))
  const unknown = scope.filter((domain) => !accepted.has(domain))
  const warnings = unknown.map((domain) => ({
    path: `associatedAcceptedDomains[${scope.indexOf(domain)}]`,
    message: `${domain} is not an accepted domain, so the connector applies to no mail for it`,
  }))
  if (connectorType === 'Partner' || scope.length === 0) return warnings
  const limit = {
    path: 'associatedAcceptedDomains',
    message: `the servers may relay only to ${proseList(scope)}, and so not to other organisations`,
  }
  return [...warnings, limit]
}

export function tenantSenderWarnings(
  { exchangeOnline, senderDomains }: InboundConnector,
  acceptedDomains: readonly Pick<AcceptedDomain, 'domain'>[],
): Warning[] {
  if (exchangeOnline === null) return []
  const accepted = new Set(acceptedDomains.map(({ domain }) => domain))
  return senderDomains.flatMap((pattern, index): Warning[] => {
    const path = `senderDomains[${index}]`
    if (pattern === '*')
      return [
        {
          path,
          message:
            'with exchangeOnline, * stands for the accepted domains: mail that the tenant forwards needs SenderRewritingEnabled there, or its sender domains here',
        },
      ]
    const domain = pattern.replace(/^\*\./, '')
    if (accepted.has(domain)) return []
    return [
      {
        path,
        message: `the tenant may also send in the name of ${pattern}, which is not an accepted domain`,
      },
    ]
  })
}
