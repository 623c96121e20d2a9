/** `/configuration`: the version of the configuration, and the settings of the deployment on which connectors depend. */
import * as z from 'zod'
import type { DefaultRoute } from '../../../shared/connectors/outbound-fields.ts'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'

export interface Deployment {
  defaultRoute: DefaultRoute
  /** Whether deliveries leave from the VPC. */
  deliversInVpc: boolean
  /** Whether deliveries ask resolvers that may validate DNSSEC. Amazon's resolver proves no record. */
  validatesDnssec?: boolean
  /** @default none */
  summaries?: readonly SummaryPeriod[]
}

export const SummaryPeriod = z.enum(['Daily', 'Weekly'])
export type SummaryPeriod = z.output<typeof SummaryPeriod>

export const Configuration = z.strictObject({
  version: z
    .int()
    .nonnegative()
    .describe('changes with each write of a connector or an accepted domain; compare it before a write'),
  defaultRoute: z
    .enum(['Mx', 'Ses'])
    .describe('the route of mail without a connector, and of a connector that is written without a route'),
  deliversInVpc: z.boolean().describe('false: AWS closes outbound port 25, so route Mx cannot be used'),
  validatesDnssec: z
    .boolean()
    .optional()
    .describe('false: the resolver proves no TLSA records, so no next hop can meet smtpDaneMode Mandatory'),
  summaries: z
    .array(SummaryPeriod)
    .describe(
      'summaries of reports that administrators get by mail; empty: the setting `summaries` is absent',
    ),
})

export const configurationRoute = (
  repository: Pick<ConnectorRepository, 'version'>,
  deployment: Deployment,
): Route =>
  route(
    {
      method: 'GET',
      path: '/configuration',
      role: 'read',
      summary: 'Read the version of the configuration, and settings of the deployment',
      answers: { 200: Configuration },
    },
    async () => ({
      status: 200,
      body: { version: await repository.version(), summaries: [], ...deployment },
    }),
  )
