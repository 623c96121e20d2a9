/** The parts of the ingress on AWS. */
import { randomUUID } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { verifyAlignedSignatures } from '../../shared/authentication/aligned-signatures.ts'
import { RecipientLists } from '../../shared/connectors-table/recipient-lists.ts'
import { createSnapshotObject, snapshotStore } from '../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { RevocationChecker } from '../../shared/net/revocation/checker.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { CanaryTable } from '../../shared/transport/canary-table.ts'
import { RateTable } from '../../shared/transport/rate-table.ts'
import { RevocationTable } from '../../shared/transport/revocation-table.ts'
import type { IngressParts } from './ingress.ts'
import { awsClientOptions, createStorageClients } from './intake/aws-clients.ts'
import { createMessageRateLimiter } from './limits/message-rate-limiter.ts'
import { causeOf, createLog } from './log.ts'
import { createCalloutInvoker } from './recipients/invoke-callout.ts'
import { createSecretReader } from './tls/secret-reader.ts'

/** @param write takes a line of log or metrics, with its line end */
export function ingressPartsOnAws(
  environment: IngressParts['environment'],
  write: IngressParts['write'],
): IngressParts {
  const documents = DynamoDBDocumentClient.from(new DynamoDBClient(awsClientOptions(2500)))
  const { sqs, ...storage } = createStorageClients(environment)
  const probe = { QueueUrl: environment.EVALUATION_QUEUE_URL, AttributeNames: ['QueueArn' as const] }
  const rates = createMessageRateLimiter({
    connectorCounts: new RateTable(documents, environment.TRANSPORT_TABLE, {
      counter: randomUUID(),
      timeoutMs: 2500,
    }),
    addressLimit: environment.MAX_MESSAGES_PER_MINUTE_PER_ADDRESS,
    log: createLog(write),
    now: Date.now,
  })
  const canaries = new CanaryTable(documents, environment.TRANSPORT_TABLE)
  const resolver = createResolver(environment.DNS_SERVERS)
  const log = createLog(write)
  const { TLS_SECRET_ARN: secretArn } = environment
  return {
    environment,
    write,
    ...storage,
    ...(secretArn && {
      readCertificates: createSecretReader(new SecretsManagerClient(awsClientOptions(4000)), secretArn),
    }),
    rates,
    recipients: {
      lists: new RecipientLists(documents, environment.CONNECTORS_TABLE),
      invokeCallout: createCalloutInvoker(environment, storage.s3.config.credentials),
    },
    verifySignatures: (content, signal) =>
      verifyAlignedSignatures(content, resolver, {
        at: new Date(),
        signal,
        onError: (error) => log('error', 'signatures cannot be verified', { cause: causeOf(error) }),
      }),
    readLastCanary: () => canaries.lastSent(),
    revocation: new RevocationChecker({
      resolver,
      privateNetworks: environment.PRIVATE_MX_NETWORKS,
      store: new RevocationTable(documents, environment.TRANSPORT_TABLE, 'ingress'),
      // CRLs take memory, which is needed for mail.
      maxConcurrentCrls: 1,
      now: () => new Date(),
    }),
    snapshots: new SnapshotReader(documents, environment.CONNECTORS_TABLE, {
      object: createSnapshotObject(snapshotStore(documents, environment), (error) =>
        log('warn', 'the snapshot of the connectors cannot be read', { cause: causeOf(error) }),
      ),
    }),
    notices: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
    events: new EventQueue(sqs, environment.EVENTS_QUEUE_URL),
    probeQueue: () => sqs.send(new GetQueueAttributesCommand(probe)),
  }
}
