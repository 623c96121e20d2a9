/**
 * Identifies the tenant of Exchange Online that sent a message. The attack: any tenant sends mail through the gateway,
 * because all tenants share the certificate and the addresses of Exchange Online. The defence: the message must show the
 * tenant of the connector. Exchange Online replaces these fields in all mail that it sends, which is observed and not
 * documented. Not covered: another user of the tenant, or a false From:.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { ExchangeOnlineFields } from '../contract/authentication.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { bestPattern } from './order.ts'
import { firstNames } from './text-lists.ts'

export type TenantFinding =
  /** The content has not arrived yet. */
  | { kind: 'Undetermined' }
  /** `evidence`: a phrase, such as `its tenant id 72f9…`. */
  | { kind: 'Identified'; evidence: string }
  /** Only a signature can identify the tenant now, and none was verified. */
  | { kind: 'NeedsSignature'; why: string }
  /** `why`: a clause about the message. */
  | { kind: 'NotIdentified'; why: string }

interface TenantEvidence {
  /** The domain of the reverse path; null for the null reverse path. */
  senderDomain: string | null
  acceptedDomains: ReadonlySet<string>
  /** What the message shows; undefined before it has arrived; null if the header was not read. */
  fields: ExchangeOnlineFields | null | undefined
}

/** @returns null for a connector that identifies no tenant */
export function identifyTenant(
  { exchangeOnline, senderDomains }: Pick<InboundConnector, 'exchangeOnline' | 'senderDomains'>,
  { senderDomain, acceptedDomains, fields }: TenantEvidence,
): TenantFinding | null {
  if (exchangeOnline === null) return null
  if (senderDomain !== null && !maySend(senderDomain, senderDomains, acceptedDomains))
    return notIdentified(
      `its sender domain ${senderDomain} is neither an accepted domain nor named in senderDomains`,
    )
  if (fields === undefined) return { kind: 'Undetermined' }
  if (fields === null) return notIdentified('its header was not read')
  const { tenantIds, originatorOrganizations } = fields
  if (tenantIds.length > 1) return notIdentified('X-MS-Exchange-CrossTenant-Id is repeated')
  if (originatorOrganizations.length > 1) return notIdentified('X-OriginatorOrg is repeated')
  const [tenantId] = tenantIds
  if (tenantId !== undefined)
    return exchangeOnline.tenantIds.includes(tenantId)
      ? { kind: 'Identified', evidence: `its tenant id ${tenantId}` }
      : notIdentified(`X-MS-Exchange-CrossTenant-Id names another tenant (${valueText(tenantId)})`)
  const [organization] = originatorOrganizations
  if (organization !== undefined && exchangeOnline.originatorOrganizations.includes(organization))
    return { kind: 'Identified', evidence: `its organization ${organization} (X-OriginatorOrg)` }
  return identifyBySignature(fields, organization, acceptedDomains)
}

function identifyBySignature(
  { alignedSignatures }: ExchangeOnlineFields,
  organization: string | undefined,
  acceptedDomains: ReadonlySet<string>,
): TenantFinding {
  const missing = `it has no X-MS-Exchange-CrossTenant-Id, ${organization === undefined ? 'no X-OriginatorOrg' : `its X-OriginatorOrg (${valueText(organization)}) is not the connector's`}`
  if (alignedSignatures === null)
    return { kind: 'NeedsSignature', why: `${missing}, and its signatures were not verified` }
  const signer = alignedSignatures.find((domain) => acceptedDomains.has(domain))
  if (signer !== undefined)
    return { kind: 'Identified', evidence: `the DKIM signature of the accepted domain ${signer}` }
  return notIdentified(
    `${missing}, and no aligned DKIM signature of an accepted domain${alignedSignatures.length === 0 ? '' : ` (only of ${firstNames(alignedSignatures, 3)})`}`,
  )
}

/** The client chose the value. */
const valueText = (value: string): string => toSingleLine(value, 100) || 'empty'

const notIdentified = (why: string): TenantFinding => ({ kind: 'NotIdentified', why })

/**
 * `*` in senderDomains permits accepted domains only: with it, a tenant that is not identified rightly could send in
 * every name. A tenant that forwards mail rewrites its sender (SenderRewritingEnabled), or the sender domain is named.
 */
const maySend = (
  domain: string,
  senderDomains: readonly string[],
  acceptedDomains: ReadonlySet<string>,
): boolean =>
  acceptedDomains.has(domain) ||
  bestPattern(
    senderDomains.filter((pattern) => pattern !== '*'),
    domain,
  ) !== null
