/** The fields of an inbound connector, with Exchange's names in camelCase (New-InboundConnector). */
import * as z from 'zod'
import {
  CertificateAuthorities,
  CertificateName,
  comment,
  DomainName,
  DomainPattern,
  Fingerprint,
  IpRange,
  list,
  minimumTlsVersion,
  mode,
  name,
  revocationCheck,
} from './fields.ts'

const TenantId = z
  .string()
  .transform((value) => value.trim().toLowerCase())
  .pipe(
    z
      .string()
      .regex(
        /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
        'not a tenant id: 32 hexadecimal digits, such as 72f988bf-86f1-41af-91ab-2d7cd011db47',
      ),
  )

const ExchangeOnlineTenant = z.strictObject({
  tenantIds: list(TenantId).min(1).describe('values of X-MS-Exchange-CrossTenant-Id'),
  originatorOrganizations: list(DomainName)
    .default([])
    .describe('values of X-OriginatorOrg, which identify the tenant when the tenant id is missing'),
})
export const InboundFields = z.strictObject({
  name,
  connectorType: z
    .enum(['Partner', 'OnPremises'])
    .describe(
      "Partner restricts mail from a partner; OnPremises identifies the organisation's own servers, which may relay",
    ),
  enabled: z.boolean().default(true),
  mode,
  onViolation: z
    .enum(['Bounce', 'Defer'])
    .default('Bounce')
    .describe('Bounce refuses the message; Defer holds it until the connector is corrected'),
  senderDomains: list(DomainPattern)
    .min(1)
    .describe('a domain; *.domain: it and every subdomain; *: every domain'),
  senderIpAddresses: list(IpRange)
    .default([])
    .describe(
      'IPv4 and IPv6, addresses or CIDR ranges; on a Partner connector they restrict only with restrictDomainsToIpAddresses',
    ),
  requireTls: z.boolean().default(true).describe('must be true if the connector names a certificate'),
  minimumTlsVersion,
  tlsSenderCertificateNames: list(CertificateName)
    .default([])
    .describe(
      'names of the client certificate; *. stands for one label; on a Partner connector they restrict only with restrictDomainsToCertificate',
    ),
  certificateAuthorities: CertificateAuthorities,
  certificateFingerprints: list(Fingerprint)
    .default([])
    .describe(
      'SHA-256, 64 hexadecimal digits, colons allowed; on a Partner connector they restrict only with restrictDomainsToCertificate',
    ),
  requireClientAuthEku: z
    .boolean()
    .default(false)
    .describe(
      "accept an authority's certificate only if it was issued for client authentication (RFC 5280 §4.2.1.12)",
    ),
  revocationCheck,
  restrictDomainsToCertificate: z
    .boolean()
    .default(false)
    .describe(
      'Partner only: refuses mail of these domains without a matching certificate; needs names or fingerprints',
    ),
  restrictDomainsToIpAddresses: z
    .boolean()
    .default(false)
    .describe(
      'Partner only: refuses mail of these domains from other addresses; excludes restrictDomainsToCertificate',
    ),
  messageRateLimit: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('messages per minute, over all tasks; further ones are refused with 451. null: unlimited'),
  requireDmarc: z
    .boolean()
    .default(false)
    .describe('Partner only: mail with a MAIL FROM or From: of these domains must pass DMARC (RFC 9989)'),
  associatedAcceptedDomains: list(DomainName)
    .default([])
    .describe('the connector applies only to recipients in these accepted domains; empty: to all recipients'),
  exchangeOnline: ExchangeOnlineTenant.nullable()
    .default(null)
    .describe(
      'OnPremises only: your tenant of Exchange Online. A message must also show the tenant, because all tenants share the certificate name',
    ),
  treatMessagesAsInternal: z
    .boolean()
    .default(false)
    .describe(
      "OnPremises only: the servers' mail is not authenticated (SPF, DKIM, DMARC), and requireDmarc does not apply to it",
    ),
  comment,
})

export type InboundFields = z.output<typeof InboundFields>
