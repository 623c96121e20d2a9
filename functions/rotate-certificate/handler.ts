/** rotate-certificate: rotates the ingress's certificates. A schedule, ACM's events and deployments invoke it. */
import { createSecureContext } from 'node:tls'
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { ACMClient } from '@aws-sdk/client-acm'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SNSClient } from '@aws-sdk/client-sns'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { CredentialsCache } from '../../shared/aws/credentials-cache.ts'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import { RotateEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { defaultProvider } from '../../shared/lambda/environment-credentials.ts'
import { stackName } from '../../shared/lambda/stack-name.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { topicPublisher } from '../../shared/queues/topic-publisher.ts'
import { serverTlsOptions } from '../../shared/tls/server-options.ts'
import { AcmCertificates } from './acm.ts'
import type { CertificateChange } from './certificate-changes.ts'
import { CertificateSecretStore } from './certificate-secret-store.ts'
import { lookUpTlsa } from './look-up-tlsa.ts'
import { NotificationItem } from './notification-item.ts'
import { respondToDeployment } from './respond-to-deployment.ts'
import { Route53Zone } from './route53-zone.ts'
import { type Dependencies, type RotationRun, rotate } from './run.ts'

// Runs at cold start.

const environment = readEnvironment(RotateEnvironment, process.env)
const logger = new Logger({ serviceName: 'rotate-certificate' })
const metrics = unitMetrics('rotate-certificate')
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const events = new EventBridgeClient(clientDefaults)
const publish = topicPublisher(new SNSClient(clientDefaults), environment.CERTIFICATE_NOTICES_TOPIC_ARN)
const resolver = createResolver(environment.DNS_SERVERS)
const { ACM_CERTIFICATE_ARNS: arns, CONNECTORS_TABLE: table, TLSA_HOSTED_ZONE_ID: zoneId } = environment

const dependencies: Dependencies = {
  secret: new CertificateSecretStore(new SecretsManagerClient(clientDefaults), environment.TLS_SECRET_ARN),
  authority: arns.length === 0 ? null : new AcmCertificates(new ACMClient(clientDefaults), arns),
  published: new PublishedCertificatesItem(documents, table),
  notifications: new NotificationItem(documents, table),
  putEvent,
  async notifyPartners(notice) {
    await publish(notice)
  },
  checkWithOpenSsl: ({ certificate, privateKey }) =>
    void createSecureContext(serverTlsOptions(privateKey, certificate)),
  tlsaZone: zoneId === undefined ? null : new Route53Zone(zoneId, new CredentialsCache(defaultProvider())),
  lookUpTlsa: () => lookUpTlsa(environment.MAIL_HOSTNAME, resolver, environment.DNS_SERVERS.length > 0),
  hostname: environment.MAIL_HOSTNAME,
  noticeMs: environment.NOTICE_DAYS * dayMs,
  now: () => new Date(),
}

// Called by AWS.

/**
 * Does everything that is due, whichever event invokes it; only the deletion of the stack runs nothing.
 * @throws when something cannot be read or written; a deployment gets FAILED with the reason instead
 */
export const handler = (event?: unknown): Promise<RotationRun | null> => respondToDeployment(event, run)

async function run(): Promise<RotationRun> {
  try {
    const run = await rotate(dependencies)
    for (const refusal of run.refused) logger.error('An ingress certificate is refused', { ...refusal })
    if (run.refused.length > 0)
      metrics.addMetric(Metric.certificatesRefused, MetricUnit.Count, run.refused.length)
    if (run.waiting) {
      logger.error('The next certificate waits for its TLSA record', { ...run.waiting })
      metrics.addMetric(Metric.nextCertificateWaiting, MetricUnit.Count, 1)
    }
    logger.info('Ingress certificates checked', { changed: run.changed, notifications: run.notifications })
    if (run.tlsaFault !== null) throw new Error(`the TLSA records are not published: ${run.tlsaFault}`)
    return run
  } finally {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
}

/** @throws when the event bus does not accept the event */
async function putEvent({ detailType, detail }: CertificateChange): Promise<void> {
  const entry = {
    Source: 'mailflow',
    DetailType: detailType,
    Detail: JSON.stringify({ stack: stackName, ...detail }),
  }
  const { Entries = [] } = await events.send(new PutEventsCommand({ Entries: [entry] }))
  // PutEvents returns 200 even when an entry failed.
  const failed = Entries.find(({ ErrorCode }) => ErrorCode !== undefined)
  if (failed) throw new Error(`${failed.ErrorCode}: ${failed.ErrorMessage}`)
}
