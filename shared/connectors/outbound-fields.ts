/** The fields of an outbound connector, with Exchange's names in camelCase (New-OutboundConnector). */
import * as z from 'zod'
import { PublishedPolicyMode } from '../contract/jobs.ts'
import {
  CertificateAuthorities,
  CertificateName,
  comment,
  DomainPattern,
  list,
  minimumTlsVersion,
  mode,
  name,
  revocationCheck,
  SecretName,
  SmartHostInput,
} from './fields.ts'

/** The route of mail that no connector matches, and of a connector that is written without a route. */
export type DefaultRoute = 'Mx' | 'Ses'

export const routeMeaning = 'Mx: by MX lookup; SmartHosts: through smartHosts; Ses: through Amazon SES'
export const route = z.enum(['Mx', 'SmartHosts', 'Ses']).describe(routeMeaning)

export const OutboundFields = z.strictObject({
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

export type OutboundFields = z.output<typeof OutboundFields>
