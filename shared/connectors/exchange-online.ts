/** The rules for an inbound connector that identifies a tenant of Exchange Online. */
import type { SpanningRule } from './spanning-rules.ts'

/**
 * The name of the certificate that Exchange Online presents as a client, in the public cloud, the clouds of the
 * government of the United States and the cloud of 21Vianet in China. All tenants of a cloud share it.
 */
export const exchangeOnlineCertificateNames: ReadonlySet<string> = new Set([
  'mail.protection.outlook.com',
  'mail.protection.office365.us',
  'mail.protection.partner.outlook.cn',
])

interface TenantFields {
  connectorType: 'Partner' | 'OnPremises'
  exchangeOnline: { tenantIds: readonly string[]; originatorOrganizations: readonly string[] } | null
  tlsSenderCertificateNames: readonly string[]
  certificateAuthorities: readonly string[]
  certificateFingerprints: readonly string[]
  senderIpAddresses: readonly string[]
}

export const exchangeOnlineRules: readonly SpanningRule<TenantFields>[] = [
  {
    at: 'exchangeOnline',
    reads: ['connectorType', 'exchangeOnline'],
    isBroken: (connector) => connector.exchangeOnline !== null && connector.connectorType === 'Partner',
    message:
      'is for OnPremises connectors only; for a partner whose mail comes from Exchange Online, use requireDmarc',
  },
  {
    at: 'tlsSenderCertificateNames',
    reads: ['exchangeOnline', 'tlsSenderCertificateNames'],
    isBroken: (connector) =>
      connector.exchangeOnline !== null &&
      (connector.tlsSenderCertificateNames.length === 0 ||
        connector.tlsSenderCertificateNames.some((name) => !exchangeOnlineCertificateNames.has(name))),
    message: `with exchangeOnline, must be the certificate name of Exchange Online: ${[...exchangeOnlineCertificateNames].join(', ')}. Your own servers need a connector of their own`,
  },
  ...(['senderIpAddresses', 'certificateFingerprints'] as const).map(
    (field): SpanningRule<TenantFields> => ({
      at: field,
      reads: ['exchangeOnline', field],
      isBroken: (connector) => connector.exchangeOnline !== null && connector[field].length > 0,
      message:
        'must be empty with exchangeOnline, which identifies the servers by the certificate name of Exchange Online. Your own servers need a connector of their own',
    }),
  ),
  {
    at: 'certificateAuthorities',
    reads: ['exchangeOnline', 'certificateAuthorities'],
    isBroken: (connector) => connector.exchangeOnline !== null && connector.certificateAuthorities.length > 0,
    message:
      'must be empty with exchangeOnline: Microsoft may change the authority of its certificate at any time',
  },
]
