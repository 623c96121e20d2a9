/**
 * The connectors between the gateway and a tenant of Exchange Online, and the PowerShell commands for the tenant. The
 * parameters: https://learn.microsoft.com/powershell/module/exchangepowershell/new-inboundconnector and
 * new-outboundconnector; the lock:
 * https://learn.microsoft.com/exchange/mail-flow-best-practices/manage-mail-flow-using-third-party-cloud.
 */
import type { Configuration, DesiredEntry } from '../connectors/entry-kinds.ts'
import type { Tenant } from './tenant-host.ts'

export interface TemplateInput {
  readonly tenant: Tenant
  /** The tenant's accepted domains. Never empty. */
  readonly domains: readonly string[]
  /** Null: the file has a placeholder, which `connectors apply` refuses. */
  readonly tenantId: string | null
  /** The host name of the gateway, and of its client certificate. */
  readonly gateway: string
}

const tenantIdPlaceholder = 'YOUR-TENANT-ID'
const clientCertificate = 'exchange-online'
const inboundName = 'From Exchange Online'
const outboundName = 'To Exchange Online'

export function tenantTemplate({ tenant, domains, tenantId }: TemplateInput): Configuration {
  const organizations = [...domains, ...(tenant.initialDomain === null ? [] : [tenant.initialDomain])]
  return {
    acceptedDomains: domains.map((domain) => ({ key: domain, label: domain, fields: {} })),
    inboundConnectors: [
      entry(inboundName, {
        connectorType: 'OnPremises',
        senderDomains: domains,
        requireTls: true,
        tlsSenderCertificateNames: [tenant.certificateName],
        exchangeOnline: {
          tenantIds: [tenantId ?? tenantIdPlaceholder],
          originatorOrganizations: [...new Set(organizations)],
        },
      }),
    ],
    outboundConnectors: [
      entry(outboundName, {
        connectorType: 'OnPremises',
        allAcceptedDomains: true,
        route: 'SmartHosts',
        smartHosts: [{ host: tenant.host, port: 25 }],
        tlsSettings: 'DomainValidation',
        tlsDomain: tenant.host,
        clientCertificate,
      }),
    ],
  }
}

const entry = (name: string, fields: Record<string, unknown>): DesiredEntry => ({
  key: name.toLowerCase(),
  label: name,
  fields: { name, ...fields },
})

/** The comment above each connector. */
export function templateComment({ label }: DesiredEntry, { tenantId }: TemplateInput): string {
  if (label === outboundName)
    return `The certificate that the gateway presents is in the secret mailflow/client-certificates/${clientCertificate}.`
  if (label !== inboundName || tenantId !== null) return ''
  return `Replace ${tenantIdPlaceholder}. Find it in the Microsoft Entra admin center, Overview, or with\n(Get-ConnectionInformation).TenantID in Exchange Online PowerShell.`
}

/** The comment at the beginning of the file. PowerShell continues a line after a backtick. */
export const templateHeading = ({ tenant, domains, gateway }: TemplateInput): string =>
  `For: npx mailflow connectors apply -f FILE
Apply the file first. Then run these commands in Exchange Online PowerShell, in this order.

1. Mail of the tenant goes to the gateway. SenderRewritingEnabled: forwarded mail gets a sender of the tenant.

New-OutboundConnector -Name "To the gateway" -ConnectorType OnPremises -RecipientDomains * \`
  -UseMXRecord $false -SmartHosts ${gateway} -TlsSettings DomainValidation -TlsDomain ${gateway} \`
  -SenderRewritingEnabled $true

2. The tenant refuses mail that does not come with the gateway's certificate, and looks behind the gateway for the
address of the sender. Replace EGRESS-ADDRESSES by all addresses from which the gateway sends (output EgressAddresses of
the stack), separated by commas. First point the MX records of all domains of the tenant at the gateway, and validate:
npx mailflow connectors validate "${outboundName}" --to user@${domains[0]}

New-InboundConnector -Name "From the gateway" -ConnectorType Partner -SenderDomains * -RequireTls $true \`
  -RestrictDomainsToCertificate $true -TlsSenderCertificateName ${gateway} \`
  -EFSkipLastIP $false -EFSkipIPs EGRESS-ADDRESSES

No mail flow rule may set the SCL of the gateway's mail to -1: Exchange would not filter it.

3. Check from outside: npx mailflow check exchange-online ${tenant.initialDomain ?? tenant.host}${tenant.initialDomain === null ? ` --domain ${domains[0]}` : ''} --send user@${domains[0]}`
