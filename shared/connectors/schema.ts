/**
 * Connectors and accepted domains as an administrator writes them, with Exchange's names in camelCase
 * (New-InboundConnector, New-OutboundConnector). The API's input, the stored items and the OpenAPI document use these
 * schemas. Unknown fields are errors.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as z from 'zod'
import { PublishedPolicyMode, SmartHost } from '../contract/jobs.ts'
import { RevocationCheck } from '../contract/revocation.ts'
import { normaliseDomain, normaliseDomainPattern } from '../mail/domain.ts'
import { hasDates } from '../tls/validity.ts'
import { maxNameLength, nameFault } from './connector-name.ts'
import { exchangeOnlineRules } from './exchange-online.ts'
import { openRelayByAddress, openRelayByName } from './open-relay.ts'
import { type SpanningRule, withSpanningRules } from './spanning-rules.ts'
import { OutboundValidation } from './validation.ts'

const nameDescription = 'unique among connectors of its direction, in any letter case'
const name = z
  .string()
  .trim()
  .min(1)
  .max(maxNameLength)
  .superRefine((value, context) => {
    const message = nameFault(value)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .describe(`${nameDescription}; without invisible characters`)
const comment = z.string().max(1024).default('')

const DomainPattern = z
  .string()
  .max(255)
  .transform((value, context) => {
    const pattern = normaliseDomainPattern(value.trim())
    if (pattern !== null) return pattern
    context.addIssue({ code: 'custom', message: patternFault(value, 'a domain, "*.domain" or "*"') })
    return z.NEVER
  })

/** Explains wildcards separately, because administrators write forms that other systems accept. */
function patternFault(value: string, kind: string): string {
  const rest = value.trim().replace(/^\*(\.|$)/, '')
  const wildcard = rest.includes('*') ? ': a wildcard is the whole first label' : ''
  return `"${value}" is not ${kind}${wildcard}`
}

/** A host name whose leftmost label may be `*` (RFC 9525 §6.3). */
const CertificateName = z
  .string()
  .max(255)
  .transform((value, context) => {
    const pattern = normaliseDomainPattern(value.trim())
    if (pattern !== null && pattern !== '*') return pattern
    context.addIssue({ code: 'custom', message: patternFault(value, 'a host name or "*.domain"') })
    return z.NEVER
  })

const IpRange = z
  .string()
  .max(64)
  .refine(isIpRange, {
    error: (issue) => `"${String(issue.input)}" is not an IP address or a CIDR range`,
  })

const Certificate = z.string().refine(isSingleCertificate, 'not one certificate in PEM')

/** A delivery job has room for 32 KiB of certificates. */
const CertificateAuthorities = z
  .array(Certificate)
  .max(20)
  .refine((pems) => pems.join('').length <= 32_768, 'more than 32 KiB of certificates')
  .default([])
  .describe('PEM, one certificate each, at most 32 KiB together; empty: the public roots')

const Fingerprint = z
  .string()
  .transform((value) => value.replaceAll(':', '').toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 fingerprint (64 hexadecimal digits)'))

/** The last part of a Secrets Manager secret's name. */
const SecretName = z
  .string()
  .regex(/^[A-Za-z0-9_.@+=-]{1,128}$/, 'must be 1 to 128 letters, digits or any of _.@+=-')

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

const minimumTlsVersion = z
  .enum(['TLSv1.2', 'TLSv1.3'])
  .default('TLSv1.2')
  .describe('TLSv1.3 needs forced TLS')
const revocationCheck = RevocationCheck.default('SoftFail').describe(
  'SoftFail refuses a revoked certificate; HardFail also refuses one whose revocation is undetermined',
)
const mode = z
  .enum(['Enforce', 'ReportOnly'])
  .default('Enforce')
  .describe('ReportOnly: evaluated and recorded, not enforced')
const list = <T extends z.ZodType<string>>(item: T) => z.array(item).max(1000).superRefine(refuseDuplicates)

const DomainName = z
  .string()
  .max(255)
  .transform((value, context) => {
    const domain = normaliseDomain(value.trim())
    if (domain !== null) return domain
    context.addIssue({ code: 'custom', message: `"${value}" is not a domain` })
    return z.NEVER
  })

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
export type ExchangeOnlineTenant = z.output<typeof ExchangeOnlineTenant>

const InboundFields = z.strictObject({
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

type Inbound = z.output<typeof InboundFields>

const identifiesByCertificate = (connector: Inbound): boolean =>
  connector.tlsSenderCertificateNames.length > 0 || connector.certificateFingerprints.length > 0

const inboundRules: SpanningRule<Inbound>[] = [
  {
    at: 'restrictDomainsToIpAddresses',
    reads: ['restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'],
    isBroken: (connector) => connector.restrictDomainsToCertificate && connector.restrictDomainsToIpAddresses,
    message: 'cannot be set together with restrictDomainsToCertificate',
  },
  {
    at: 'restrictDomainsToCertificate',
    reads: ['restrictDomainsToCertificate', 'tlsSenderCertificateNames', 'certificateFingerprints'],
    isBroken: (connector) => connector.restrictDomainsToCertificate && !identifiesByCertificate(connector),
    message: 'needs tlsSenderCertificateNames or certificateFingerprints',
  },
  {
    at: 'restrictDomainsToIpAddresses',
    reads: ['restrictDomainsToIpAddresses', 'senderIpAddresses'],
    isBroken: (connector) =>
      connector.restrictDomainsToIpAddresses && connector.senderIpAddresses.length === 0,
    message: 'needs senderIpAddresses',
  },
  {
    at: 'requireTls',
    reads: ['requireTls', 'tlsSenderCertificateNames', 'certificateFingerprints'],
    isBroken: (connector) => identifiesByCertificate(connector) && !connector.requireTls,
    message: 'must be true when the connector names a certificate',
  },
  {
    at: 'minimumTlsVersion',
    reads: ['requireTls', 'minimumTlsVersion'],
    isBroken: (connector) => connector.minimumTlsVersion === 'TLSv1.3' && !connector.requireTls,
    message: 'TLSv1.3 needs requireTls; without it mail in the clear is accepted',
  },
  ...(['restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'] as const).map(
    (restriction): SpanningRule<Inbound> => ({
      at: restriction,
      reads: ['connectorType', restriction],
      isBroken: (connector) => connector.connectorType === 'OnPremises' && connector[restriction],
      message: 'is for Partner connectors only',
    }),
  ),
  {
    at: 'senderIpAddresses',
    reads: ['connectorType', 'senderIpAddresses', 'tlsSenderCertificateNames', 'certificateFingerprints'],
    isBroken: (connector) =>
      connector.connectorType === 'OnPremises' &&
      !identifiesByCertificate(connector) &&
      connector.senderIpAddresses.length === 0,
    message:
      'an OnPremises connector grants relay, so it needs senderIpAddresses, tlsSenderCertificateNames or certificateFingerprints',
  },
  {
    at: 'tlsSenderCertificateNames',
    reads: [
      'connectorType',
      'enabled',
      'tlsSenderCertificateNames',
      'certificateAuthorities',
      'exchangeOnline',
    ],
    isBroken: (connector) => openRelayByName(connector) !== null,
    message: (connector) => openRelayByName(connector) ?? '',
  },
  {
    at: 'senderIpAddresses',
    reads: ['connectorType', 'enabled', 'senderIpAddresses'],
    isBroken: (connector) => openRelayByAddress(connector) !== null,
    message: (connector) => openRelayByAddress(connector) ?? '',
  },
  {
    at: 'treatMessagesAsInternal',
    reads: ['connectorType', 'treatMessagesAsInternal'],
    isBroken: (connector) => connector.connectorType === 'Partner' && connector.treatMessagesAsInternal,
    message: 'is for OnPremises connectors only',
  },
  {
    at: 'requireDmarc',
    reads: ['connectorType', 'requireDmarc'],
    isBroken: (connector) => connector.connectorType === 'OnPremises' && connector.requireDmarc,
    message: 'is for Partner connectors only',
  },
  ...exchangeOnlineRules,
]

export const InboundConnectorInput = withSpanningRules(InboundFields, inboundRules)
export type InboundConnectorInput = z.output<typeof InboundConnectorInput>

/** The route of mail that no connector matches, and of a connector that is written without a route. */
export type DefaultRoute = 'Mx' | 'Ses'

const routeMeaning = 'Mx: by MX lookup; SmartHosts: through smartHosts; Ses: through Amazon SES'
const route = z.enum(['Mx', 'SmartHosts', 'Ses']).describe(routeMeaning)

const OutboundFields = z.strictObject({
  name,
  connectorType: z
    .enum(['Partner', 'OnPremises'])
    .describe("Partner: to a partner; OnPremises: to the organisation's own servers"),
  enabled: z.boolean().default(true),
  mode,
  onTlsFailure: z
    .enum(['Defer', 'Bounce'])
    .default('Defer')
    .describe('Defer: further attempts until the message expires; Bounce: no further attempt'),
  recipientDomains: list(DomainPattern)
    .default([])
    .describe(
      'a domain; *.domain: it and every subdomain; *: every domain; at least one unless allAcceptedDomains',
    ),
  allAcceptedDomains: z.boolean().default(false).describe('OnPremises only: matches every accepted domain'),
  route,
  smartHosts: z
    .array(SmartHostInput)
    .max(100)
    .default([])
    .describe('with route SmartHosts only; port 25 by default'),
  tlsSettings: z
    .enum(['EncryptionOnly', 'CertificateValidation', 'DomainValidation'], {
      error: 'must be null, "EncryptionOnly", "CertificateValidation" or "DomainValidation"',
    })
    .nullable()
    .default(null)
    .describe('the TLS level that is required; null: opportunistic'),
  tlsDomain: CertificateName.nullable()
    .default(null)
    .describe("the certificate's name; with DomainValidation only"),
  certificateAuthorities: CertificateAuthorities,
  minimumTlsVersion,
  revocationCheck,
  clientCertificate: SecretName.nullable()
    .default(null)
    .describe(
      'the secret mailflow/client-certificates/NAME, presented to a next hop that asks for a certificate',
    ),
  smtpDaneMode: PublishedPolicyMode.default('Opportunistic').describe(
    'Opportunistic: TLSA records of the next hop apply where tlsSettings is null (RFC 7672); Mandatory: always, and without usable records the message waits',
  ),
  mtaStsMode: PublishedPolicyMode.default('Opportunistic').describe(
    "Opportunistic: the domain's MTA-STS policy applies where tlsSettings is null (RFC 8461); Mandatory: always, and without a policy in mode enforce the message waits; route Mx only",
  ),
  expirationHours: z.int().min(12).max(24).default(24).describe('hours until the message bounces'),
  comment,
})

type Outbound = z.output<typeof OutboundFields>

/** @param defaultRoute so that a message explains a route that the connector does not name; null if it names one */
const outboundRules = (defaultRoute: DefaultRoute | null): SpanningRule<Outbound>[] => [
  {
    at: 'allAcceptedDomains',
    reads: ['connectorType', 'allAcceptedDomains'],
    isBroken: (connector) => connector.allAcceptedDomains && connector.connectorType !== 'OnPremises',
    message: 'is for OnPremises connectors only',
  },
  {
    at: 'recipientDomains',
    reads: ['recipientDomains', 'allAcceptedDomains'],
    isBroken: (connector) => connector.recipientDomains.length === 0 && !connector.allAcceptedDomains,
    message: 'needs at least one domain, unless allAcceptedDomains is true',
  },
  {
    at: 'smartHosts',
    reads: ['route', 'smartHosts'],
    isBroken: (connector) => connector.route === 'SmartHosts' && connector.smartHosts.length === 0,
    message: 'needs at least one host when route is SmartHosts',
  },
  {
    at: 'smartHosts',
    reads: ['route', 'smartHosts'],
    isBroken: (connector) => connector.route !== 'SmartHosts' && connector.smartHosts.length > 0,
    message: (connector) =>
      `must be empty when route is ${connector.route}${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'tlsDomain',
    reads: ['tlsSettings', 'tlsDomain'],
    isBroken: (connector) => connector.tlsSettings === 'DomainValidation' && connector.tlsDomain === null,
    message: 'is needed when tlsSettings is DomainValidation',
  },
  {
    at: 'tlsDomain',
    reads: ['tlsSettings', 'tlsDomain'],
    isBroken: (connector) => connector.tlsSettings !== 'DomainValidation' && connector.tlsDomain !== null,
    message: 'must be null unless tlsSettings is DomainValidation',
  },
  {
    at: 'tlsSettings',
    reads: ['route', 'tlsSettings'],
    isBroken: (connector) =>
      connector.route === 'Ses' &&
      connector.tlsSettings !== null &&
      connector.tlsSettings !== 'EncryptionOnly',
    message: (connector) =>
      `Amazon SES can require TLS but cannot verify the partner's certificate, so ${connector.tlsSettings} needs route Mx or SmartHosts${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'clientCertificate',
    reads: ['route', 'clientCertificate'],
    isBroken: (connector) => connector.route === 'Ses' && connector.clientCertificate !== null,
    message: (connector) =>
      `Amazon SES does not present a client certificate to the next hop${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'minimumTlsVersion',
    reads: ['route', 'minimumTlsVersion'],
    isBroken: (connector) => connector.route === 'Ses' && connector.minimumTlsVersion === 'TLSv1.3',
    message: (connector) =>
      `Amazon SES does not let a sender choose TLSv1.3 as the minimum${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'smtpDaneMode',
    reads: ['route', 'smtpDaneMode'],
    isBroken: (connector) => connector.route === 'Ses' && connector.smtpDaneMode === 'Mandatory',
    message: (connector) =>
      `Amazon SES does not check TLSA records on request, so Mandatory needs route Mx or SmartHosts${defaultNote(connector, defaultRoute)}`,
  },
  {
    at: 'smtpDaneMode',
    reads: ['route', 'smartHosts', 'smtpDaneMode'],
    isBroken: (connector) =>
      connector.smtpDaneMode === 'Mandatory' && connector.smartHosts.some(({ host }) => isIP(host) !== 0),
    message: (connector) =>
      `an IP address has no TLSA records, so Mandatory needs smartHosts by name, not ${connector.smartHosts.find(({ host }) => isIP(host) !== 0)?.host}`,
  },
  {
    at: 'mtaStsMode',
    reads: ['route', 'mtaStsMode'],
    isBroken: (connector) =>
      connector.mtaStsMode === 'Mandatory' && (connector.route === 'Ses' || connector.route === 'SmartHosts'),
    message: (connector) =>
      connector.route === 'Ses'
        ? `Amazon SES does not check MTA-STS policies on request, so Mandatory needs route Mx${defaultNote(connector, defaultRoute)}`
        : 'an MTA-STS policy lists the MX hosts of a domain and no smart hosts, so Mandatory needs route Mx; for smart hosts use tlsSettings or smtpDaneMode',
  },
  {
    at: 'minimumTlsVersion',
    reads: ['tlsSettings', 'minimumTlsVersion'],
    isBroken: (connector) => connector.minimumTlsVersion === 'TLSv1.3' && connector.tlsSettings === null,
    message: 'TLSv1.3 needs tlsSettings; without it mail is sent in the clear where TLS fails',
  },
]

const defaultNote = ({ route }: Outbound, defaultRoute: DefaultRoute | null): string =>
  route === defaultRoute ? `; if route is missing, it is ${route}, the default of this deployment` : ''

/** An outbound connector with its route. */
export const OutboundConnectorInput = withSpanningRules(OutboundFields, outboundRules(null))
export type OutboundConnectorInput = z.output<typeof OutboundConnectorInput>

/** An outbound connector whose route may be missing. The deployment's default is then stored as its value. */
export const outboundConnectorInput = (defaultRoute: DefaultRoute) =>
  withSpanningRules(
    OutboundFields.extend({ route: route.default(defaultRoute).describe(routeMeaning) }),
    outboundRules(defaultRoute),
  )

/** For a check before the deployment's default is known. The rules about routes ignore a missing route. */
export const OutboundConnectorDraft = withSpanningRules(
  OutboundFields.extend({ route: route.optional() }),
  outboundRules(null) as SpanningRule<Omit<Outbound, 'route'> & { route?: Outbound['route'] | undefined }>[],
)

export const AcceptedDomainInput = z.strictObject({
  recipients: z
    .enum(['Any', 'List', 'SmtpCallout'])
    .default('Any')
    .describe(
      'the recipients that are accepted. Any: every address; List: those of /accepted-domains/{domain}/recipients; SmtpCallout: those that the next hop of the outbound connector accepts at RCPT TO',
    ),
  comment,
})
export type AcceptedDomainInput = z.output<typeof AcceptedDomainInput>

/** Earlier versions accepted names with invisible characters; such connectors stay valid until they are written. */
const storedName = { name: z.string().describe(nameDescription) }

/** Fields that the API sets. `version` is the number of writes; times are ISO 8601 in UTC. */
const stored = {
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  version: z.int().positive().describe('number of writes; the ETag'),
}
const id = z.ulid()

export const InboundConnector = z.strictObject({ id, ...InboundFields.shape, ...storedName, ...stored })
export type InboundConnector = z.output<typeof InboundConnector>

export const OutboundConnector = z.strictObject({
  id,
  ...OutboundFields.shape,
  ...storedName,
  ...stored,
  validation: OutboundValidation.nullable().describe(
    'the last validation of the connector as it was last written; null: none',
  ),
})
export type OutboundConnector = z.output<typeof OutboundConnector>

/** The list of a domain's recipients (shared/connectors-table/recipient-lists.ts). */
export const RecipientList = z.strictObject({
  version: z.ulid().describe('changes with each write of the list'),
  addresses: z.int().positive(),
  updatedAt: z.iso.datetime(),
})
export type RecipientList = z.output<typeof RecipientList>

export const AcceptedDomain = z.strictObject({
  domain: z.string(),
  ...AcceptedDomainInput.shape,
  recipientList: RecipientList.optional().describe('absent if no list was written'),
  ...stored,
})
export type AcceptedDomain = z.output<typeof AcceptedDomain>

/** Accepts only complete addresses: other software reads `10/8`, `010.0.0.0/8` or an IPv6 zone in different ways. */
function isIpRange(value: string): boolean {
  const [address = '', bits = '0', ...rest] = value.split('/')
  const family = address.includes('%') ? 0 : isIP(address)
  const maxPrefixLength = family === 4 ? 32 : 128
  return family !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= maxPrefixLength
}

/** A repeated value is probably a typing mistake. Runs after the items were converted to their comparable form. */
function refuseDuplicates(values: readonly string[], context: z.core.$RefinementCtx): void {
  const previousValues = new Set<string>()
  for (const [index, value] of values.entries()) {
    const comparable = value.trim().toLowerCase()
    if (previousValues.has(comparable))
      context.addIssue({ code: 'custom', path: [index], message: `"${value}" is listed twice` })
    previousValues.add(comparable)
  }
}

function isSingleCertificate(pem: string): boolean {
  if (pem.split('-----BEGIN CERTIFICATE-----').length !== 2) return false
  try {
    return hasDates(new X509Certificate(pem))
  } catch {
    return false
  }
}
