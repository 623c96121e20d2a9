/** The routes of dry runs, for the function that has them and for the OpenAPI document. */
import * as z from 'zod'
import type { DefaultRoute } from '../connectors/outbound-fields.ts'
import { InboundConnectorInput, outboundConnectorInput } from '../connectors/schema.ts'
import { TlsLevel } from '../contract/message.ts'
import { instant } from '../http-api/lists.ts'
import type { RouteDescription } from '../http-api/route.ts'

const maxConnectors = 20

const DryRunInput = (defaultRoute: DefaultRoute) =>
  z.strictObject({
    from: instant.optional().describe('mail received at or after this time; default: 7 days before to'),
    to: instant.optional().describe('mail received before this time; default: now'),
    inboundConnectors: z
      .array(InboundConnectorInput)
      .max(maxConnectors)
      .default([])
      .describe('connectors as they would be; one of the same name is replaced'),
    outboundConnectors: z
      .array(outboundConnectorInput(defaultRoute))
      .max(maxConnectors)
      .default([])
      .describe('connectors as they would be; one of the same name is replaced'),
    deleted: z
      .array(z.ulid('is not the id of a connector'))
      .max(maxConnectors)
      .default([])
      .describe('ids of connectors that would be deleted'),
  })
export type DryRunInput = z.output<ReturnType<typeof DryRunInput>>

export const StartedDryRun = z.strictObject({
  id: z.string(),
  completeUntil: z.iso.datetime().describe('mail that was received later is not in the dry run'),
})

const Result = z.strictObject({
  outcome: z
    .enum(['Refused', 'Held', 'Bounced', 'Deferred', 'Delivered', 'Sent', 'Undetermined'])
    .describe(
      'Refused: in session. Held: a connector holds it, or none routes it. Deferred: an attempt fails, and others follow. Sent: an attempt whose end is not known, because the mail was not sent before',
    ),
  reason: z.string().nullable(),
  connector: z.string().nullable().describe('name of the connector that decides'),
  level: TlsLevel.nullable().describe('what is required of the client, or enforced at the next hop'),
  tlsResult: z
    .string()
    .nullable()
    .describe('result of the session with the next hop (RFC 8460 §4.3), if it is not success'),
})
export type DryRunOutcome = z.infer<typeof Result>

const count = z.int().nonnegative().describe('recipients and refusals')
const samples = z.array(z.string()).describe('ids of messages; of refusals, of events')

export const DryRun = z.strictObject({
  id: z.string(),
  state: z.enum(['Running', 'Succeeded', 'Failed', 'Cancelled']),
  reason: z.string().nullable().describe('why it failed or was cancelled'),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  ms: z.int().nonnegative().describe('duration of the search'),
  scannedOctets: z.int().nonnegative().describe('octets that were read, for which AWS bills'),
  connectorsVersion: z.int().nonnegative().nullable().describe('of the connectors that it was compared with'),
  considered: count,
  same: count,
  different: z.array(
    z.strictObject({
      before: Result,
      after: Result,
      count,
      samples,
      unlessRevoked: z
        .boolean()
        .describe(
          'true: the revocation of a certificate was not checked; if it was revoked, the result may be another',
        ),
    }),
  ),
  undetermined: z
    .array(z.strictObject({ missing: z.string(), count, samples }))
    .describe('mail about which the events do not say enough'),
  notConsidered: count.describe('recipients and refusals beyond the 10,000 most frequent kinds of mail'),
})
export type DryRun = z.infer<typeof DryRun>

export const startDryRun = (defaultRoute: DefaultRoute) =>
  ({
    method: 'POST',
    path: '/dry-runs',
    role: 'read',
    summary: 'Decide about past mail with connectors as they would be. Changes and sends nothing',
    body: DryRunInput(defaultRoute),
    bodyName: 'DryRunInput',
    maxBodyOctets: 2_000_000,
    answers: { 202: StartedDryRun },
    problems: [429],
  }) as const satisfies RouteDescription

export const readDryRun = {
  method: 'GET',
  path: '/dry-runs/{id}',
  role: 'read',
  summary: 'Read the result of a dry run',
  answers: { 200: DryRun },
  problems: [404],
} as const satisfies RouteDescription
