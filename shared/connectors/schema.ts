/**
 * Connectors and accepted domains as an administrator writes them, with Exchange's names in camelCase
 * (New-InboundConnector, New-OutboundConnector). These schemas are the API's input, the store's format and the
 * source of the OpenAPI document. Unknown fields are refused, never dropped.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { SmartHost } from '../contract/jobs.ts'
import { normaliseDomain, normaliseDomainPattern } from '../mail/domain.ts'

const name = z.string().trim().min(1).max(64)
const comment = z.string().max(1024).default('')

const DomainPattern = z
  .string()
  .max(255)
  .transform((value, context) => {
    const pattern = normaliseDomainPattern(value.trim())
    if (pattern !== null) return pattern
    context.addIssue({ code: 'custom', message: `"${value}" is not a domain, "*.domain" or "*"` })
    return z.NEVER
  })

/** A certificate name: a host name, its leftmost label may be `*` (RFC 9525 §6.3). */
const CertificateName = z
  .string()
  .max(255)
  .transform((value, context) => {
    const pattern = normaliseDomainPattern(value.trim())
    if (pattern !== null && pattern !== '*') return pattern
    context.addIssue({ code: 'custom', message: `"${value}" is not a host name or "*.domain"` })
    return z.NEVER
  })

const IpRange = z
  .string()
  .max(64)
  .refine((value) => isIP(value) !== 0 || ipaddr.isValidCIDR(value), {
    error: (issue) => `"${String(issue.input)}" is not an IP address or a CIDR range`,
  })

const Certificate = z.string().refine(isSingleCertificate, 'not one certificate in PEM')

/** Together small enough to travel in a delivery job. */
const CertificateAuthorities = z
  .array(Certificate)
  .max(20)
  .refine((pems) => pems.join('').length <= 32_768, 'more than 32 KiB of certificates')
  .default([])

const Fingerprint = z
  .string()
  .transform((value) => value.replaceAll(':', '').toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 fingerprint (64 hexadecimal digits)'))

const SmartHostInput = z.strictObject({
  host: z
    .string()
    .max(255)
    .transform((value, context) => {
      const host = isIP(value) ? value : normaliseDomain(value.trim())
      if (host !== null) return host
      context.addIssue({ code: 'custom', message: `"${value}" is not a host name or an IP address` })
      return z.NEVER
    }),
  port: SmartHost.shape.port.default(25),
})

const minimumTlsVersion = z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2')
const mode = z.enum(['Enforce', 'ReportOnly']).default('Enforce')
const list = <T extends z.ZodType>(item: T) => z.array(item).max(1000)

export const InboundConnectorInput = z
  .strictObject({
    name,
    connectorType: z.enum(['Partner', 'OnPremises']),
    enabled: z.boolean().default(true),
    mode,
    onViolation: z.enum(['Bounce', 'Defer']).default('Bounce'),
    senderDomains: list(DomainPattern).min(1),
    senderIpAddresses: list(IpRange).default([]),
    requireTls: z.boolean().default(true),
    minimumTlsVersion,
    tlsSenderCertificateNames: list(CertificateName).default([]),
    certificateAuthorities: CertificateAuthorities,
    certificateFingerprints: list(Fingerprint).default([]),
    restrictDomainsToCertificate: z.boolean().default(false),
    restrictDomainsToIpAddresses: z.boolean().default(false),
    treatMessagesAsInternal: z.boolean().default(false),
    comment,
  })
  .superRefine((connector, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const identifiesByCertificate =
      connector.tlsSenderCertificateNames.length > 0 || connector.certificateFingerprints.length > 0
    if (connector.restrictDomainsToCertificate && connector.restrictDomainsToIpAddresses)
      fault('restrictDomainsToIpAddresses', 'cannot be set together with restrictDomainsToCertificate')
    if (connector.restrictDomainsToCertificate && !identifiesByCertificate)
      fault('restrictDomainsToCertificate', 'needs tlsSenderCertificateNames or certificateFingerprints')
    if (connector.restrictDomainsToIpAddresses && connector.senderIpAddresses.length === 0)
      fault('restrictDomainsToIpAddresses', 'needs senderIpAddresses')
    if (identifiesByCertificate && !connector.requireTls)
      fault('requireTls', 'must be true when the connector names a certificate')
    if (connector.connectorType === 'OnPremises') {
      for (const restriction of ['restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'] as const)
        if (connector[restriction]) fault(restriction, 'is for Partner connectors only')
      if (!identifiesByCertificate && connector.senderIpAddresses.length === 0)
        fault(
          'senderIpAddresses',
          'an OnPremises connector grants relay, so it needs senderIpAddresses, tlsSenderCertificateNames or certificateFingerprints',
        )
    } else if (connector.treatMessagesAsInternal) {
      fault('treatMessagesAsInternal', 'is for OnPremises connectors only')
    }
  })
export type InboundConnectorInput = z.output<typeof InboundConnectorInput>

export const OutboundConnectorInput = z
  .strictObject({
    name,
    connectorType: z.enum(['Partner', 'OnPremises']),
    enabled: z.boolean().default(true),
    mode,
    onTlsFailure: z.enum(['Defer', 'Bounce']).default('Defer'),
    recipientDomains: list(DomainPattern).default([]),
    allAcceptedDomains: z.boolean().default(false),
    route: z.enum(['Mx', 'SmartHosts', 'Ses']).default('Mx'),
    smartHosts: z.array(SmartHostInput).max(100).default([]),
    tlsSettings: z
      .enum(['EncryptionOnly', 'CertificateValidation', 'DomainValidation'])
      .nullable()
      .default(null),
    tlsDomain: CertificateName.nullable().default(null),
    certificateAuthorities: CertificateAuthorities,
    minimumTlsVersion,
    smtpDaneMode: z.enum(['Opportunistic', 'None']).default('Opportunistic'),
    mtaStsMode: z.enum(['Opportunistic', 'None']).default('Opportunistic'),
    expirationHours: z.int().min(12).max(24).default(24),
    comment,
  })
  .superRefine((connector, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (connector.allAcceptedDomains && connector.connectorType !== 'OnPremises')
      fault('allAcceptedDomains', 'is for OnPremises connectors only')
    if (connector.recipientDomains.length === 0 && !connector.allAcceptedDomains)
      fault('recipientDomains', 'needs at least one domain, unless allAcceptedDomains is true')
    if (connector.route === 'SmartHosts' && connector.smartHosts.length === 0)
      fault('smartHosts', 'needs at least one host when route is SmartHosts')
    if (connector.route !== 'SmartHosts' && connector.smartHosts.length > 0)
      fault('smartHosts', `must be empty when route is ${connector.route}`)
    if (connector.tlsSettings === 'DomainValidation' && connector.tlsDomain === null)
      fault('tlsDomain', 'is needed when tlsSettings is DomainValidation')
    if (connector.tlsSettings !== 'DomainValidation' && connector.tlsDomain !== null)
      fault('tlsDomain', 'must be null unless tlsSettings is DomainValidation')
    if (
      connector.route === 'Ses' &&
      connector.tlsSettings !== null &&
      connector.tlsSettings !== 'EncryptionOnly'
    )
      fault(
        'tlsSettings',
        `Amazon SES can require TLS but cannot verify the partner's certificate, so ${connector.tlsSettings} needs route Mx or SmartHosts`,
      )
    if (connector.route === 'Ses' && connector.minimumTlsVersion === 'TLSv1.3')
      fault('minimumTlsVersion', 'Amazon SES does not let a sender choose TLSv1.3 as the minimum')
  })
export type OutboundConnectorInput = z.output<typeof OutboundConnectorInput>

export const AcceptedDomainInput = z.strictObject({ comment })
export type AcceptedDomainInput = z.output<typeof AcceptedDomainInput>

/** What the server adds. */
const stored = { id: z.string(), createdAt: z.string(), updatedAt: z.string(), version: z.int() }

export type InboundConnector = InboundConnectorInput & Stored
export type OutboundConnector = OutboundConnectorInput & Stored & { validation: null }
export type AcceptedDomain = { domain: string; comment: string } & Omit<Stored, 'id'>
type Stored = z.infer<z.ZodObject<typeof stored>>

function isSingleCertificate(pem: string): boolean {
  if (pem.split('-----BEGIN CERTIFICATE-----').length !== 2) return false
  try {
    new X509Certificate(pem)
    return true
  } catch {
    return false
  }
}
