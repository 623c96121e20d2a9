/** erase-address: erases what is stored of one mail address. event-api invokes it. No log line has the address. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Context } from 'aws-lambda'
import { FunctionInvoker } from '../../shared/aws/function-invoker.ts'
import { changesBetween } from '../../shared/connectors-table/change-log.ts'
import { ConnectorsTable } from '../../shared/connectors-table/connectors-table.ts'
import { RecipientLists } from '../../shared/connectors-table/recipient-lists.ts'
import { EraseAddressEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { EraseRequest } from '../../shared/contract/erase-request.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { addressHashReader } from '../../shared/events/address-hash-key.ts'
import { Erasures, pseudonymOf } from '../../shared/events/erasures.ts'
import { daysUntil, parseShardKey, sealsOfDay } from '../../shared/events/event-keys.ts'
import { EventStore } from '../../shared/events/event-store.ts'
import { lastClosedHour, pendingHours, windowHours } from '../../shared/events/seal-plan.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { ErasedAddress } from '../../shared/mail/erased-address.ts'
import { readMailbox } from '../../shared/mail/mailbox.ts'
import { eraserInEvents } from './addresses-in-events.ts'
import { deadLettersStep } from './dead-letters-step.ts'
import { eraseAddress } from './erase-address.ts'
import { MessagesTable } from './messages-table.ts'
import { objectSteps } from './objects-step.ts'
import { remainingConfiguration } from './remaining-configuration.ts'
import { StoredContents } from './stored-contents.ts'
import { traceStep } from './trace-step.ts'

const environment = readEnvironment(EraseAddressEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const s3 = new S3Client(clientDefaults)
const sqs = new SQSClient(clientDefaults)
const store = new EventStore(s3, environment.EVENTS_BUCKET)
/** The methods of the store, and the only one that no other unit needs. */
const eventObjects = {
  get: store.get.bind(store),
  list: store.list.bind(store),
  put: store.put.bind(store),
  async delete(key: string) {
    await s3.send(new DeleteObjectCommand({ Bucket: environment.EVENTS_BUCKET, Key: key }))
  },
}
const table = new MessagesTable(documents, environment.MESSAGES_TABLE)
const contents = new StoredContents(s3)
const connectors = new ConnectorsTable(documents, environment.CONNECTORS_TABLE)
const lists = new RecipientLists(documents, environment.CONNECTORS_TABLE)
const logger = new Logger({ serviceName: 'erase-address' })
const timeouts = { connectMs: 3000, totalMs: 10_000 }
const readAddressHash = addressHashReader(
  new SecretsManagerClient(clientDefaults),
  environment.ADDRESS_HASH_SECRET_ARN,
)

const configuration = {
  readAll: () => connectors.readAll(),
  recipients: (domain: string, version: string) => lists.read(domain, version),
  changes: () => changesBetween(documents, environment.CONNECTORS_TABLE, new Date(0), new Date()),
  settings: environment.ADDRESS_SETTINGS,
}

async function hasUnsealedHour(): Promise<boolean> {
  const now = Date.now()
  const days = daysUntil(lastClosedHour(now), windowHours)
  const lists = await Promise.all(days.map((day) => store.list(sealsOfDay(day))))
  return (
    pendingHours(
      lists.flat().flatMap(({ key }) => parseShardKey(key) ?? []),
      now,
    ).length > 0
  )
}

export async function handler(event: unknown, context: Context): Promise<void> {
  const request = EraseRequest.parse(event)
  const mailbox = readMailbox(request.address)
  if ('fault' in mailbox) throw new Error('the address is no mailbox')
  const address = new ErasedAddress(mailbox, pseudonymOf(request.id))
  const invoker = new FunctionInvoker({
    functionArn: context.invokedFunctionArn,
    credentials: () => s3.config.credentials(),
    timeouts,
    endpoint: environment.AWS_ENDPOINT_URL_LAMBDA,
  })
  try {
    logger.info('erasure', { id: request.id, passes: request.position?.passes ?? 0 })
    await eraseAddress(request, {
      erasures: new Erasures(store, Date.now),
      steps: [
        traceStep(address, { table, eraseContent: (content) => contents.erase(content), now: Date.now }),
        deadLettersStep(address, {
          sqs,
          jobQueues: [
            environment.EVALUATION_DEAD_LETTERS_URL,
            environment.AUTHENTICATION_DEAD_LETTERS_URL,
            environment.DELIVERY_DEAD_LETTERS_URL,
            environment.UNPROVEN_DELIVERY_DEAD_LETTERS_URL,
            environment.LOW_PRIORITY_DELIVERY_DEAD_LETTERS_URL,
            environment.BOUNCE_DEAD_LETTERS_URL,
          ],
          eventQueue: environment.EVENTS_DEAD_LETTERS_URL,
          table,
        }),
        ...objectSteps(eraserInEvents(address, mailbox, await readAddressHash()), {
          store: eventObjects,
          retentionDays: environment.EVENT_RETENTION_DAYS,
          now: Date.now,
        }),
      ],
      remaining: () => remainingConfiguration(address, configuration),
      hasUnsealedHour,
      invoke: (next) => invoker.invokeAsync(next),
      remainingMs: () => context.getRemainingTimeInMillis(),
      now: Date.now,
      sleep: (ms) => sleep(ms),
      waitMs: environment.ERASURE_WAIT_SECONDS * 1000,
    })
  } catch (error) {
    // The error of a service may repeat a key.
    throw new Error(address.replaceIn(errorMessage(error)))
  } finally {
    invoker.close()
  }
}
