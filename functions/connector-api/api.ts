/** Builds the connector API from its stores: routes, OpenAPI document, problem responses and request log. */
import type { Logger } from '@aws-lambda-powertools/logger'
import * as z from 'zod'
import { validateOutboundConnector } from '../../shared/connectors/validation.ts'
import type { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { RoleMapping } from '../../shared/contract/roles.ts'
import { readDomainDns } from '../../shared/domain-records/domain-dns.ts'
import { readDryRun, startDryRun } from '../../shared/event-queries/dry-run-schemas.ts'
import { eraseAddress, readErasure } from '../../shared/event-queries/erasure.ts'
import { readMessageEvents } from '../../shared/event-queries/message-events.ts'
import { readMessageSearch, startMessageSearch } from '../../shared/event-queries/message-search.ts'
import { listReports, readReport } from '../../shared/event-queries/reports/report-schemas.ts'
import { createHttpApi, type HttpApi } from '../../shared/http-api/http-api.ts'
import { type Route, type RouteDescription, route } from '../../shared/http-api/route.ts'
import type { History } from '../../shared/messages/history.ts'
import type { RejectedList } from '../../shared/messages/rejected-list.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'
import { openApi } from './openapi.ts'
import { acceptedDomainRoutes } from './routes/accepted-domains.ts'
import { callerRoute } from './routes/caller.ts'
import { type CertificateDependencies, certificatesRoute } from './routes/certificates.ts'
import { changesRoute } from './routes/changes.ts'
import { configurationRoute, type Deployment } from './routes/configuration.ts'
import { connectorRoutes } from './routes/connectors.ts'
import { type DeadLetterDependencies, deadLetterRoutes } from './routes/dead-letters.ts'
import { type ExplainDependencies, explainRoute } from './routes/explain.ts'
import { type HealthDependencies, healthRoute } from './routes/health.ts'
import { messageRoutes } from './routes/messages.ts'
import { type ObservedDependencies, observedCertificateRoutes } from './routes/observed-certificates.ts'
import { type QueueDependencies, queueRoutes } from './routes/queues.ts'
import { recipientRoutes } from './routes/recipients.ts'
import { type TlsReportDependencies, tlsReportRoutes } from './routes/tls-reports.ts'
import { validateInboundRoute } from './routes/validate-inbound.ts'
import { waitingMailRoutes } from './routes/waiting-mail.ts'

export interface Dependencies {
  repository: ConnectorRepository
  history: History
  rejected: Pick<RejectedList, 'page' | 'get'>
  trace: QueueDependencies['trace']
  waiting: QueueDependencies['waiting']
  evaluation: JobSender<EvaluationJob>
  events: QueueDependencies['events']
  deadLetters: Pick<DeadLetterDependencies, 'sqs' | 'urls'>
  explain: Omit<ExplainDependencies, 'now' | 'recipientLists'>
  /** Called after each request that may have changed connectors. */
  storeSnapshot?(): Promise<void>
  deployment: Deployment
  reports: TlsReportDependencies['reports']
  published: CertificateDependencies['published']
  observed: ObservedDependencies['observed']
  alarms: HealthDependencies['alarms']
  /** Null when the deployment has no sign-in. */
  roles: RoleMapping | null
  logger: Logger
  /** Milliseconds since the epoch. */
  now?: () => number
}

export function createConnectorApi({
  repository,
  history,
  rejected,
  trace,
  waiting,
  evaluation,
  events,
  deadLetters,
  explain,
  storeSnapshot = async () => {},
  deployment,
  reports,
  published,
  observed,
  alarms,
  roles,
  logger,
  now = Date.now,
}: Dependencies): HttpApi {
  const waitingMail = { history, trace, waiting, evaluation, events, now }
  const routes = addOpenApiRoute(
    [
      callerRoute(),
      configurationRoute(repository, deployment),
      healthRoute({ alarms, logger }),
      ...connectorRoutes(repository, deployment, { snapshot: explain.snapshot, logger, now }, waitingMail),
      ...acceptedDomainRoutes(repository),
      ...recipientRoutes(repository),
      changesRoute(repository),
      ...messageRoutes(history, rejected, now),
      ...waitingMailRoutes(repository, waitingMail),
      ...queueRoutes(waitingMail),
      ...deadLetterRoutes({ ...deadLetters, logger, now }),
      ...tlsReportRoutes({ reports, snapshot: explain.snapshot, now }),
      certificatesRoute({ published, now }),
      ...observedCertificateRoutes({ observed, now }),
      explainRoute({ ...explain, recipientLists: repository.recipientLists, now }),
      validateInboundRoute(repository, explain.snapshot, { history, now }),
    ],
    routesOfOtherFunctions(deployment),
  )
  return createHttpApi(routes, {
    roles,
    logger,
    now,
    // The change is saved in any case.
    afterWrite: () =>
      storeSnapshot().catch((error: Error) =>
        logger.error('The snapshot of the connectors could not be written', error),
      ),
  })
}

/** Routes of validate-connector, a separate function in the same network as deliver-message, and of event-api. */
const routesOfOtherFunctions = ({ defaultRoute }: Deployment): RouteDescription[] => [
  validateOutboundConnector,
  readDomainDns,
  readMessageEvents,
  startMessageSearch,
  readMessageSearch,
  startDryRun(defaultRoute),
  readDryRun,
  eraseAddress,
  readErasure,
  listReports,
  readReport,
]

function addOpenApiRoute(routes: readonly Route[], others: readonly RouteDescription[]): Route[] {
  const description = {
    method: 'GET',
    path: '/openapi.json',
    role: 'read',
    summary: 'This document',
    answers: { 200: z.unknown() },
  } as const
  let document: unknown
  const openApiRoute = route(description, async () => {
    document ??= openApi([...allRoutes, ...others])
    return { status: 200, body: document }
  })
  const allRoutes = [...routes, openApiRoute]
  return allRoutes
}
