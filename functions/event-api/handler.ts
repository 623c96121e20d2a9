/** event-api: reports, searches and trails over the events, and erasures. Its event is API Gateway's payload format 2.0. */
import { Logger } from '@aws-lambda-powertools/logger'
import { AthenaClient } from '@aws-sdk/client-athena'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { FunctionInvoker } from '../../shared/aws/function-invoker.ts'
import { createSnapshotObject, snapshotStore } from '../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'
import { decisionSettings, EventApiEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { readRoleMapping } from '../../shared/contract/roles.ts'
import { addressHashReader } from '../../shared/events/address-hash-key.ts'
import { Erasures } from '../../shared/events/erasures.ts'
import { EventCounts } from '../../shared/events/event-counts.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { EventSearch } from '../../shared/events/event-search.ts'
import { EventStore } from '../../shared/events/event-store.ts'
import { UnsealedEvents } from '../../shared/events/unsealed-events.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { History } from '../../shared/messages/history.ts'
import { readWaitingGroups } from '../../shared/messages/read-waiting-groups.ts'
import { WaitingList } from '../../shared/messages/waiting-list.ts'
import { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { ObservedList } from '../../shared/transport/observed-list.ts'
import { createEventApi } from './api.ts'
import { ownCertificates, reportedDays } from './tls-report-sources.ts'
import { TrailReader } from './trail.ts'
import { UnsettledMail } from './unsettled-mail.ts'

const environment = readEnvironment(EventApiEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const s3 = new S3Client(clientDefaults)
const store = new EventStore(s3, environment.EVENTS_BUCKET)
const logger = new Logger({ serviceName: 'event-api' })
const connectors = new SnapshotReader(documents, environment.CONNECTORS_TABLE, {
  object: createSnapshotObject(snapshotStore(documents, environment), (error) =>
    logger.warn('The snapshot of the connectors cannot be read', error),
  ),
})
const unsealed = new UnsealedEvents(store, Date.now)
const waiting = new WaitingList(documents, environment.MESSAGES_TABLE)
const received = new ReceivedReports(documents, environment.TRANSPORT_TABLE)
const observed = new ObservedList(documents, environment.TRANSPORT_TABLE)

const eraser = new FunctionInvoker({
  functionArn: environment.ERASE_ADDRESS_FUNCTION_ARN,
  credentials: () => s3.config.credentials(),
  timeouts: { connectMs: 3000, totalMs: 10_000 },
  endpoint: environment.AWS_ENDPOINT_URL_LAMBDA,
})

const readHash = addressHashReader(
  new SecretsManagerClient(clientDefaults),
  environment.ADDRESS_HASH_SECRET_ARN,
)

async function readAddressHash() {
  try {
    return await readHash()
  } catch (error) {
    logger.error('The key of hashed addresses cannot be read', error as Error)
    throw error
  }
}

/** How long the address of a result is valid. */
const linkSeconds = 900

export const handler = createEventApi({
  reports: {
    counts: new EventCounts(store, unsealed),
    snapshot: () => connectors.current(),
    tlsReports: (since, until) => reportedDays(received, since, until),
    waitingGroups: () => readWaitingGroups(waiting),
    ownCertificates: () => ownCertificates(observed, new Date()),
  },
  trails: new TrailReader(store, unsealed),
  searches: {
    search: new EventSearch(new AthenaClient(clientDefaults), {
      workgroup: environment.ATHENA_WORKGROUP,
      database: environment.ATHENA_DATABASE,
    }),
    table: environment.ATHENA_TABLE,
    linkTo: (key) =>
      getSignedUrl(s3, new GetObjectCommand({ Bucket: environment.EVENTS_BUCKET, Key: key }), {
        expiresIn: linkSeconds,
      }),
    firstUnsealedHour: () => unsealed.firstHour(),
  },
  dryRuns: {
    store,
    settings: decisionSettings(environment),
    defaultRoute: environment.DEFAULT_ROUTE,
  },
  erasures: {
    erasures: new Erasures(store, Date.now),
    unsettled: new UnsettledMail(new History(documents, environment.MESSAGES_TABLE), Date.now),
    events: new EventQueue(new SQSClient(clientDefaults), environment.EVENTS_QUEUE_URL),
    start: (request) => eraser.invokeAsync(request),
  },
  readAddressHash,
  retentionDays: environment.EVENT_RETENTION_DAYS,
  roles: readRoleMapping(environment.SIGN_IN_ROLES),
  logger,
  now: Date.now,
})
