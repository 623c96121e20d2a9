/** What SPF, DKIM, DMARC and ARC say of a received message, and what its content shows of its sender. */
import * as z from 'zod'

/** The results of RFC 8601 §2.7 that mailflow reports. */
export const AuthenticationResult = z.enum([
  'pass',
  'fail',
  'softfail',
  'neutral',
  'none',
  'policy',
  'temperror',
  'permerror',
])
export type AuthenticationResult = z.infer<typeof AuthenticationResult>

/** Results for one message. A DNS failure is `temperror`, never `pass`. */
export const MessageAuthentication = z.object({
  at: z.iso.datetime().describe('when the results were determined'),
  internal: z
    .string()
    .nullable()
    .describe(
      'name of the OnPremises connector with treatMessagesAsInternal, so that nothing was checked; otherwise null',
    ),
  spf: z
    .object({
      result: AuthenticationResult,
      domain: z.string().describe('of the reverse path, or of HELO for the null reverse path'),
    })
    .nullable()
    .describe('RFC 7208; null if it was not checked'),
  dkim: z
    .array(
      z.object({
        result: AuthenticationResult,
        domain: z.string().describe('tag d='),
        selector: z.string().describe('tag s='),
        aligned: z.boolean().describe('with the domain of From: (RFC 9989 §4.4)'),
      }),
    )
    .max(10)
    .describe('RFC 6376; one for each signature'),
  dmarc: z
    .object({
      result: AuthenticationResult,
      fromDomain: z.string().nullable().describe('the domain of From:; null if there is not exactly one'),
      policy: z.enum(['none', 'quarantine', 'reject']).nullable().describe('that applies; null: no record'),
      alignedBy: z.array(z.enum(['spf', 'dkim'])),
    })
    .nullable()
    .describe('RFC 9989; null if it was not checked'),
  arc: z
    .object({
      result: AuthenticationResult,
      sealer: z.string().nullable().describe('domain of the last seal; null: none'),
    })
    .nullable()
    .describe('RFC 8617; null if it was not checked'),
  fields: z
    .string()
    .max(16_384)
    .describe('header fields that the gateway adds to the message on delivery, each with CRLF; internal'),
})
export type MessageAuthentication = z.infer<typeof MessageAuthentication>

/**
 * The header fields in which Exchange Online names the sending tenant, as the ingress found them. Values are trimmed and
 * in lower case. Two values of a list are enough to show that a field is repeated.
 */
export const ExchangeOnlineFields = z.object({
  tenantIds: z.array(z.string()).max(2).describe('X-MS-Exchange-CrossTenant-Id'),
  originatorOrganizations: z.array(z.string()).max(2).describe('X-OriginatorOrg'),
  alignedSignatures: z
    .array(z.string())
    .max(10)
    .nullable()
    .describe('domains with a valid DKIM signature that is aligned with From:; null if none was verified'),
})
export type ExchangeOnlineFields = z.infer<typeof ExchangeOnlineFields>
