/** The AWS clients of deliver-message, with their tables, queues and buckets. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createVersionReader } from '../../shared/connectors-table/version.ts'
import { ContentReader } from '../../shared/content/content-reader.ts'
import { sharedReads } from '../../shared/content/shared-reads.ts'
import type { DeliverEnvironment } from '../../shared/contract/environment.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ContentReference } from '../../shared/contract/message.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { clientDefaults, singleAttempt } from '../../shared/lambda/aws-clients.ts'
import { JobSource } from '../../shared/lambda/job-source.ts'
import { withoutForgedFields } from '../../shared/mail/forged-fields.ts'
import { AttemptClaims } from '../../shared/messages/attempt-claims.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { ClientCertificates } from '../../shared/net/client-certificates.ts'
import { SesApi, type SesQuota } from '../../shared/net/ses-api.ts'
import { connectDeliveryQueue } from '../../shared/queues/delivery-queue.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { SessionCounters } from '../../shared/tls-reports/counters.ts'
import { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { CanaryTable } from '../../shared/transport/canary-table.ts'
import { createChangePublisher } from '../../shared/transport/change-events.ts'
import { ChunkingFaults } from '../../shared/transport/chunking-faults.ts'
import { DestinationStandings } from '../../shared/transport/destination-standings.ts'
import { ObservedTable } from '../../shared/transport/observed-table.ts'
import { PolicyTable } from '../../shared/transport/policy-table.ts'
import { RevocationTable } from '../../shared/transport/revocation-table.ts'
import { SesRateLimiter } from '../../shared/transport/ses-rate-limiter.ts'
import { Slots } from '../../shared/transport/slots.ts'

/** The timeout is short: a slow table of slots must not delay mail. */
const slotOptions = { initialLimit: 10, leaseMs: 10_000, timeoutMs: 2_000, now: Date.now }

const quotaTimeoutMs = 3_000

export type Stores = ReturnType<typeof connectStores>

/** Called for the readings of SES's quota, which the workers make once a minute together. */
export interface QuotaListener {
  onRead(quota: SesQuota): void
  onError(error: Error): void
}

export function connectStores(
  environment: DeliverEnvironment,
  quotaListener: QuotaListener = { onRead() {}, onError() {} },
) {
  const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
  const queues = new SQSClient(clientDefaults)
  const events = new EventQueue(queues, environment.EVENTS_QUEUE_URL)
  const read = sharedReads(new ContentReader(new S3Client(clientDefaults)))
  // If this client repeated a request after a lost response, the mail could be sent twice. Only the queue retries.
  const ses = new SesApi(singleAttempt)
  const { CONNECTORS_TABLE, MESSAGES_TABLE, TRANSPORT_TABLE } = environment
  return {
    /** Dependencies of `deliverJob`. */
    deliverDependencies: {
      claims: new AttemptClaims(documents, MESSAGES_TABLE),
      trace: new Trace(documents, MESSAGES_TABLE),
      evaluation: new JobQueue<EvaluationJob>(queues, environment.EVALUATION_QUEUE_URL),
      delivery: connectDeliveryQueue(queues, environment),
      read: async (reference: ContentReference) =>
        withoutForgedFields(await read(reference), environment.MAIL_HOSTNAME),
    },
    jobs: new JobSource(queues, [
      { queue: environment.DELIVERY_QUEUE_URL, deadLetters: environment.DELIVERY_DEAD_LETTERS_URL },
      {
        queue: environment.UNPROVEN_DELIVERY_QUEUE_URL,
        deadLetters: environment.UNPROVEN_DELIVERY_DEAD_LETTERS_URL,
      },
      {
        queue: environment.LOW_PRIORITY_DELIVERY_QUEUE_URL,
        deadLetters: environment.LOW_PRIORITY_DELIVERY_DEAD_LETTERS_URL,
      },
    ]),
    readConnectorsVersion: createVersionReader(documents, CONNECTORS_TABLE),
    chunkingFaults: new ChunkingFaults(documents, TRANSPORT_TABLE),
    policies: new PolicyTable(documents, TRANSPORT_TABLE),
    revocations: new RevocationTable(documents, TRANSPORT_TABLE, 'delivery'),
    slots: new Slots(documents, TRANSPORT_TABLE, {
      ...slotOptions,
      maxLimit: environment.DELIVERIES_PER_DESTINATION,
      maxHolders: environment.WORKERS_PER_DESTINATION,
    }),
    standings: new DestinationStandings(documents, TRANSPORT_TABLE),
    counters: new SessionCounters(documents, TRANSPORT_TABLE),
    observed: {
      table: new ObservedTable(documents, TRANSPORT_TABLE),
      publish: createChangePublisher(new EventBridgeClient(clientDefaults)),
      events,
    },
    events,
    reports: new ReceivedReports(documents, TRANSPORT_TABLE),
    canaries: new CanaryTable(documents, TRANSPORT_TABLE),
    certificates: new ClientCertificates(
      new SecretsManagerClient(clientDefaults),
      undefined,
      environment.STACK_NAME,
    ),
    ses,
    sesLimiter: new SesRateLimiter(documents, TRANSPORT_TABLE, {
      readQuota: async () => {
        const quota = await ses.readQuota(AbortSignal.timeout(quotaTimeoutMs))
        quotaListener.onRead(quota)
        return quota
      },
      onError: quotaListener.onError,
      timeoutMs: slotOptions.timeoutMs,
    }),
  }
}
