/** connector-api: administration over HTTP. Its event is API Gateway's payload format 2.0. */
import { getCACertificates } from 'node:tls'
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import { createSnapshotObject, snapshotStore } from '../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'
import { ApiEnvironment, decisionSettings, readEnvironment } from '../../shared/contract/environment.ts'
import { readRoleMapping } from '../../shared/contract/roles.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import type { QueueUrls } from '../../shared/lambda/job-source.ts'
import { History } from '../../shared/messages/history.ts'
import { RejectedList } from '../../shared/messages/rejected-list.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { WaitingList } from '../../shared/messages/waiting-list.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { ObservedList } from '../../shared/transport/observed-list.ts'
import { createConnectorApi } from './api.ts'
import type { QueueName } from './dead-letter.ts'
import { StackAlarms } from './stack-alarms.ts'

const environment = readEnvironment(ApiEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const sqs = new SQSClient(clientDefaults)
const logger = new Logger({ serviceName: 'connector-api' })
const connectors = new SnapshotReader(documents, environment.CONNECTORS_TABLE, {
  object: createSnapshotObject(snapshotStore(documents, environment), (error) =>
    logger.warn('The snapshot of the connectors cannot be read', error),
  ),
})
const urls: Record<QueueName, QueueUrls> = {
  Evaluation: {
    queue: environment.EVALUATION_QUEUE_URL,
    deadLetters: environment.EVALUATION_DEAD_LETTERS_URL,
  },
  Authentication: {
    queue: environment.AUTHENTICATION_QUEUE_URL,
    deadLetters: environment.AUTHENTICATION_DEAD_LETTERS_URL,
  },
  Delivery: { queue: environment.DELIVERY_QUEUE_URL, deadLetters: environment.DELIVERY_DEAD_LETTERS_URL },
  UnprovenDelivery: {
    queue: environment.UNPROVEN_DELIVERY_QUEUE_URL,
    deadLetters: environment.UNPROVEN_DELIVERY_DEAD_LETTERS_URL,
  },
  LowPriorityDelivery: {
    queue: environment.LOW_PRIORITY_DELIVERY_QUEUE_URL,
    deadLetters: environment.LOW_PRIORITY_DELIVERY_DEAD_LETTERS_URL,
  },
  Bounce: { queue: environment.BOUNCE_QUEUE_URL, deadLetters: environment.BOUNCE_DEAD_LETTERS_URL },
}

export const handler = createConnectorApi({
  repository: new ConnectorRepository(documents, environment.CONNECTORS_TABLE),
  history: new History(documents, environment.MESSAGES_TABLE),
  rejected: new RejectedList(documents, environment.MESSAGES_TABLE),
  trace: new Trace(documents, environment.MESSAGES_TABLE),
  waiting: new WaitingList(documents, environment.MESSAGES_TABLE),
  evaluation: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
  events: new EventQueue(sqs, environment.EVENTS_QUEUE_URL),
  deadLetters: { sqs, urls },
  explain: {
    snapshot: () => connectors.current(),
    settings: decisionSettings(environment),
    publicRoots: getCACertificates(),
  },
  storeSnapshot: () => connectors.storeWhenDue(),
  deployment: {
    defaultRoute: environment.DEFAULT_ROUTE,
    deliversInVpc: environment.DELIVERS_IN_VPC,
    validatesDnssec: environment.VALIDATES_DNSSEC,
    summaries: environment.SUMMARIES,
  },
  reports: new ReceivedReports(documents, environment.TRANSPORT_TABLE),
  published: new PublishedCertificatesItem(documents, environment.CONNECTORS_TABLE),
  observed: new ObservedList(documents, environment.TRANSPORT_TABLE),
  alarms: new StackAlarms({
    stackName: environment.STACK_NAME,
    region: () => sqs.config.region(),
    credentials: () => sqs.config.credentials(),
    endpoint: environment.AWS_ENDPOINT_URL_CLOUDWATCH,
  }),
  roles: readRoleMapping(environment.SIGN_IN_ROLES),
  logger,
})
