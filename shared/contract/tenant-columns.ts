/** The columns of what a message shows of its tenant of Exchange Online. Pure. */
import type { ExchangeOnlineFields } from './authentication.ts'
import type { MailEvent } from './events.ts'

type TenantColumns = Pick<MailEvent, 'tenantIds' | 'originatorOrganizations' | 'alignedSignatures'>

export const tenantColumns = ({
  tenantIds,
  originatorOrganizations,
  alignedSignatures,
}: ExchangeOnlineFields): TenantColumns => ({
  tenantIds: toColumn(tenantIds),
  originatorOrganizations: toColumn(originatorOrganizations),
  ...(alignedSignatures !== null && { alignedSignatures: toColumn(alignedSignatures) }),
})

/** @returns null if the fields were not read */
export function tenantFields(columns: TenantColumns): ExchangeOnlineFields | null {
  const { tenantIds, originatorOrganizations = '', alignedSignatures } = columns
  if (tenantIds === undefined) return null
  return {
    tenantIds: fromColumn(tenantIds),
    originatorOrganizations: fromColumn(originatorOrganizations),
    alignedSignatures: alignedSignatures === undefined ? null : fromColumn(alignedSignatures),
  }
}

/**
 * The sender of the message chose the values. A space in a value must not separate two values; neither a tenant id nor
 * a domain has a space or a percent sign, so such a value names no tenant in either form. An empty value too.
 */
const toColumn = (values: readonly string[]): string =>
  values.map((value) => value.replaceAll(' ', '%20') || '%').join(' ')

const fromColumn = (column: string): string[] => (column === '' ? [] : column.split(' '))
