/**
 * The result of an outbound connector's validation, as the API returns it and as the connector stores it. This file
 * also defines the API route that starts a validation. One Lambda function serves the route, and another documents it.
 */
import * as z from 'zod'
import { CertificateSummary } from '../contract/certificate.ts'
import { normaliseDomain } from '../mail/domain.ts'

export const ValidationStep = z.strictObject({
  step: z
    .enum(['Resolve', 'Connect', 'Ehlo', 'StartTls', 'Certificate', 'TestMail'])
    .describe('Ehlo includes the greeting'),
  host: z.string().nullable().describe('null: the step is not about one host'),
  ip: z.string().nullable(),
  succeeded: z.boolean(),
  detail: z.string().describe('the result of the step, or the reason why it failed'),
  durationMs: z.int().nonnegative(),
  tls: z
    .strictObject({ protocol: z.string(), cipher: z.string(), group: z.string().nullable() })
    .nullable()
    .describe('with StartTls and TestMail'),
  certificates: z.array(CertificateSummary).describe('as presented, leaf first'),
})
export type ValidationStep = z.infer<typeof ValidationStep>

export const OutboundValidation = z.strictObject({
  at: z.iso.datetime(),
  succeeded: z.boolean().describe('whether every step succeeded'),
  connectorVersion: z.int().positive(),
  durationMs: z.int().nonnegative(),
  steps: z.array(ValidationStep),
})
export type OutboundValidation = z.infer<typeof OutboundValidation>

const TestRecipient = z
  .string()
  .max(320)
  .transform((text, context) => {
    const at = text.lastIndexOf('@')
    const [local, domain] = [text.slice(0, Math.max(at, 0)), normaliseDomain(text.slice(at + 1))]
    // RFC 5322 §3.2.3: a dot-atom, which needs no quoting in a header or a command.
    if (domain !== null && /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/.test(local))
      return `${local}@${domain}`
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not an address such as postmaster@contoso.com`,
    })
    return z.NEVER
  })

export const OutboundValidationInput = z.strictObject({
  recipients: z
    .array(TestRecipient)
    .min(1)
    .max(10)
    .optional()
    .describe(
      'recipients of the test message; by default postmaster of the first domain without a wildcard, or of the first accepted domain with allAcceptedDomains',
    ),
})

export const validateOutboundConnector = {
  method: 'POST',
  path: '/outbound-connectors/{id}/validate',
  role: 'operate',
  summary: 'Validate an outbound connector step by step, with a test message',
  body: OutboundValidationInput,
  bodyName: 'OutboundValidationInput',
  bodyOptional: true,
  answers: { 200: OutboundValidation },
  problems: [404, 409],
} as const

/** Limit for a validation as JSON. The largest outbound connector leaves more room in a DynamoDB item (400 KB). */
const maxValidationOctets = 70_000

/** After `smallestCut`, the steps of this many hosts fit into `maxValidationOctets`. */
export const maxHosts = 20

/** Removes the least useful parts until the validation is small enough to store. */
export function toStorable(validation: OutboundValidation): OutboundValidation {
  const fittingCut = cuts.find((cut) => octetsOf(cut(validation)) <= maxValidationOctets)
  return fittingCut ? fittingCut(validation) : smallestCut(validation)
}

type Cut = (validation: OutboundValidation) => OutboundValidation

const withCertificates =
  (count: number): Cut =>
  (validation) => ({
    ...validation,
    steps: validation.steps.map((step) => ({ ...step, certificates: step.certificates.slice(0, count) })),
  })

const smallestCut: Cut = (validation) => {
  const bare = withCertificates(0)(validation)
  return { ...bare, steps: bare.steps.map((step) => ({ ...step, detail: step.detail.slice(0, 40) })) }
}

const cuts: readonly Cut[] = [(validation) => validation, withCertificates(1), withCertificates(0)]

const octetsOf = (validation: OutboundValidation): number => Buffer.byteLength(JSON.stringify(validation))
