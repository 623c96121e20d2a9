/** The function deliver-message as AWS calls it, with its environment and its services in this process. */
import { segmentReferences } from '../../shared/content/segment-writer.ts'
import type { DeliveryJob, Route } from '../../shared/contract/jobs.ts'
import type { ContentReference } from '../../shared/contract/message.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import { startDynamoDb, type TestDynamoDb } from './dynamodb.ts'
import { type FakeS3AndSqs, startS3AndSqs } from './fake-s3-sqs.ts'
import { message, recipient } from './fixtures.ts'
import { eventOfQueue, failedIds, type SqsHandler, setEnvironment } from './lambda.ts'

export interface DeliverMessage {
  database: TestDynamoDb
  storage: FakeS3AndSqs
  /** Stores content in the bucket. */
  store(octets: Buffer): ContentReference
  /** A first attempt for b@partner.example, without TLS if the partner has none. `number` makes the message's id. */
  job(number: number, content: ContentReference, fields?: Partial<DeliveryJob>): DeliveryJob
  /** @returns the ids of the records that the function returns to the queue, of one batch with these jobs */
  deliver(...jobs: object[]): Promise<string[]>
  stop(): Promise<void>
}

/** @param storage URL of S3 and SQS @returns the function's environment, with the tables of startDynamoDb */
export const deliverMessageVariables = (database: string, storage: string): Record<string, string> => ({
  AWS_ENDPOINT_URL_DYNAMODB: database,
  AWS_ENDPOINT_URL_S3: storage,
  AWS_ENDPOINT_URL_SQS: storage,
  MAIL_HOSTNAME: 'mail.ours.example',
  CONNECTORS_TABLE: 'connectors',
  MESSAGES_TABLE: 'messages',
  TRANSPORT_TABLE: 'transport',
  CONTENT_BUCKET: 'content',
  EVALUATION_QUEUE_URL: `${storage}/queue`,
  EVENTS_QUEUE_URL: `${storage}/events`,
  DELIVERY_QUEUE_URL: `${storage}/delivery`,
  UNPROVEN_DELIVERY_QUEUE_URL: `${storage}/unproven-delivery`,
  LOW_PRIORITY_DELIVERY_QUEUE_URL: `${storage}/low-priority-delivery`,
  DELIVERY_DEAD_LETTERS_URL: `${storage}/delivery-dead-letters`,
  UNPROVEN_DELIVERY_DEAD_LETTERS_URL: `${storage}/unproven-delivery-dead-letters`,
  LOW_PRIORITY_DELIVERY_DEAD_LETTERS_URL: `${storage}/low-priority-delivery-dead-letters`,
  SES_CONFIGURATION_SET_REQUIRE_TLS: 'require',
  SES_CONFIGURATION_SET_OPTIONAL_TLS: 'optional',
})

export async function startDeliverMessage(variables: Record<string, string> = {}): Promise<DeliverMessage> {
  const database = await startDynamoDb()
  const storage = await startS3AndSqs()
  setEnvironment({ ...deliverMessageVariables(database.endpoint, storage.url), ...variables })
  const { handler }: { handler: SqsHandler } = await import('../../functions/deliver-message/handler.ts')
  return {
    database,
    storage,
    store(octets) {
      const key = `segments/${storage.objects.size}`
      storage.objects.set(key, octets)
      return segmentReferences('content', key, [octets])[0] as ContentReference
    },
    job: (number, content, fields) => ({
      message: message({
        id: String(number).padStart(26, '0'),
        receivedAt: new Date().toISOString(),
        content,
      }),
      recipients: [recipient({ address: 'b@partner.example' })],
      destination: 'partner.example',
      route: smartHost('127.0.0.1', 25),
      tls: opportunistic,
      attempt: 1,
      // The version before any connector was saved.
      connectorsVersion: 0,
      ...fields,
    }),
    deliver: (...jobs) => failedIds(handler, eventOfQueue('delivery', ...jobs)),
    async stop() {
      await storage.stop()
      await database.stop()
    },
  }
}

export const smartHost = (host: string, port: number): Route => ({
  kind: 'SmartHosts',
  hosts: [{ host, port }],
})
