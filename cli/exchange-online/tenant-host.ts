/** Finds the mail host of a tenant of Exchange Online from the tenant's name. */
import { normaliseDomain } from '../../shared/mail/domain.ts'

/** The domain of a tenant's first name, and of its mail host, in each cloud. */
const clouds: readonly { tenantDomain: string; hostDomain: string }[] = [
  { tenantDomain: 'onmicrosoft.com', hostDomain: 'mail.protection.outlook.com' },
  { tenantDomain: 'onmicrosoft.us', hostDomain: 'mail.protection.office365.us' },
  { tenantDomain: 'partner.onmschina.cn', hostDomain: 'mail.protection.partner.outlook.cn' },
]

export interface Tenant {
  /** `contoso.mail.protection.outlook.com` */
  readonly host: string
  /** The name of the certificate that the tenant's servers present as a client. */
  readonly certificateName: string
  /** `contoso.onmicrosoft.com`; null if only the host is known. */
  readonly initialDomain: string | null
}

/**
 * @param text `contoso`, `contoso.onmicrosoft.com`, or a host such as `contoso-com.mail.protection.outlook.com`
 * @returns null for any other text
 */
export function parseTenant(text: string): Tenant | null {
  const name = normaliseDomain(text)
  if (name === null) return null
  if (!name.includes('.')) return parseTenant(`${name}.onmicrosoft.com`)
  for (const { tenantDomain, hostDomain } of clouds) {
    if (name.endsWith(`.${hostDomain}`))
      return { host: name, certificateName: hostDomain, initialDomain: null }
    const label = labelBefore(name, tenantDomain)
    if (label !== null)
      return { host: `${label}.${hostDomain}`, certificateName: hostDomain, initialDomain: name }
  }
  return null
}

function labelBefore(name: string, domain: string): string | null {
  const label = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : ''
  return label === '' || label.includes('.') ? null : label
}
