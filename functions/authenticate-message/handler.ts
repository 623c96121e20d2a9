/** authenticate-message: the function of the authentication queue. It determines SPF, DKIM, DMARC and ARC results. */
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { authenticateMessage } from '../../shared/authentication/authenticate-message.ts'
import { ContentReader } from '../../shared/content/content-reader.ts'
import { AuthenticateEnvironment, arcSettings, readEnvironment } from '../../shared/contract/environment.ts'
import { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ContentReference } from '../../shared/contract/message.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { JobSource, receivesOf } from '../../shared/lambda/job-source.ts'
import { sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import { concurrencyLimiter } from '../../shared/limits/concurrency-limiter.ts'
import { Claims } from '../../shared/messages/claims.ts'
import { isErased } from '../../shared/messages/is-erased.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { readSigningKey } from '../../shared/net/signing-key.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { arcKeyReader } from './arc-key.ts'
import { type AuthenticateDependencies, authenticateJob } from './authenticate-job.ts'
import { cacheFailures } from './failure-cache.ts'
import { reportAuthentication } from './report.ts'

// Runs at cold start.

/** No authentication begins later in a batch, so that each ends before the function's timeout of 120 seconds. */
const maxStartMs = 60_000
/** A larger message is streamed, so that ten messages of a batch need little memory. */
const maxBufferedOctets = 1024 * 1024

const logger = new Logger({ serviceName: 'authenticate-message' })
const environment = readEnvironment(AuthenticateEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const sqs = new SQSClient(clientDefaults)
const content = new ContentReader(new S3Client(clientDefaults))
const resolver = cacheFailures(createResolver(environment.DNS_SERVERS), () => performance.now())
const arc = arcSettings(environment)
const arcKey = arcKeyReader(
  arc && (() => readSigningKey(new SecretsManagerClient(clientDefaults), arc)),
  (error) => logger.error('The key for ARC could not be read; mail goes on without a seal', error),
  () => performance.now(),
)
const dependencies: AuthenticateDependencies = {
  trace: { isErased: (messageId) => isErased(documents, environment.MESSAGES_TABLE, messageId) },
  claims: new Claims(documents, environment.MESSAGES_TABLE),
  evaluation: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
  read: (reference: ContentReference) =>
    reference.length > maxBufferedOctets ? content.stream(reference) : content.read(reference),
  async authenticate({ id, receivedAt, source: { ip, helo }, envelope: { mailFrom } }, content) {
    const session = { ip, helo, mailFrom, hostname: environment.MAIL_HOSTNAME }
    const times = { at: new Date(), receivedAt: new Date(receivedAt) }
    const input = { ...session, content, ...times, seal: await arcKey() }
    return authenticateMessage(input, resolver, (error) =>
      logger.error('A part of the authentication failed', { messageId: id, error }),
    )
  },
  hostname: environment.MAIL_HOSTNAME,
  now: () => new Date(),
  retentionDays: environment.TRACE_RETENTION_DAYS,
}

// AWS calls this.
export const handler = sqsHandler({
  job: EvaluationJob,
  unit: 'authenticate-message',
  source: new JobSource(sqs, [
    { queue: environment.AUTHENTICATION_QUEUE_URL, deadLetters: environment.AUTHENTICATION_DEAD_LETTERS_URL },
  ]),
  // Jobs that were received before run one at a time, so that a message that ends the worker is the only one with a claim.
  beforeBatch: async () => ({ startedAt: performance.now(), oneAtATime: concurrencyLimiter(1) }),
  async process(job, { batch: { startedAt, oneAtATime }, record, ...tools }) {
    const receives = receivesOf(record)
    const run = async () => {
      const begunAt = performance.now()
      if (begunAt - startedAt > maxStartMs) throw new Error('too little of the time of the batch is left')
      const result = await authenticateJob(job, receives, dependencies)
      reportAuthentication(job.message, result, Math.round(performance.now() - begunAt), tools)
    }
    await (receives === 1 ? run() : oneAtATime(run))
  },
})
