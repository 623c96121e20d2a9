/** bounce-message: the function of the bounce queue. It sends DSNs. */

import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { ContentReader } from '../../shared/content/content-reader.ts'
import { BounceEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { BounceJob } from '../../shared/contract/jobs.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { JobSource } from '../../shared/lambda/job-source.ts'
import { sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import { headerSection } from '../../shared/mail/header-section.ts'
import { Claims } from '../../shared/messages/claims.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { passesSpf } from '../../shared/net/sender-authentication.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { type BounceDependencies, bounceJob, contentReference, type SentDsn } from './bounce-job.ts'
import { DsnLimits } from './dsn-limits.ts'

// Runs at cold start.

/** A longer header section is cut to whole lines. */
const maxHeaderSectionOctets = 65_536

const environment = readEnvironment(BounceEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const resolver = createResolver(environment.DNS_SERVERS)
const s3 = new S3Client(clientDefaults)
const sqs = new SQSClient(clientDefaults)
const reader = new ContentReader(s3)
const dependencies: BounceDependencies = {
  claims: new Claims<SentDsn>(documents, environment.MESSAGES_TABLE),
  evaluation: new JobQueue(sqs, environment.EVALUATION_QUEUE_URL),
  readHeaders: async (content) => headerSection(await reader.readStart(content, maxHeaderSectionOctets)),
  read: (content) => reader.read(content),
  maxReturnedOctets: environment.MAX_RETURNED_SIZE,
  async store(id, octets) {
    const content = contentReference(environment.CONTENT_BUCKET, id, octets)
    await s3.send(new PutObjectCommand({ Bucket: content.bucket, Key: content.key, Body: octets }))
    return content
  },
  hostname: environment.MAIL_HOSTNAME,
  limits: new DsnLimits(documents, environment.MESSAGES_TABLE),
  passesSpf: (message) => passesSpf(message, environment.MAIL_HOSTNAME, resolver),
  retentionDays: environment.TRACE_RETENTION_DAYS,
}

// AWS calls this.
export const handler = sqsHandler({
  job: BounceJob,
  unit: 'bounce-message',
  source: new JobSource(sqs, [
    { queue: environment.BOUNCE_QUEUE_URL, deadLetters: environment.BOUNCE_DEAD_LETTERS_URL },
  ]),
  events: new EventQueue(sqs, environment.EVENTS_QUEUE_URL),
  async process(job, { logger, metrics, addEvent }) {
    const { sent: result, events } = await bounceJob(job, new Date(), dependencies)
    for (const event of events) addEvent(event)
    const { id: messageId } = job.message
    logger.info('dsn', { messageId, kind: job.kind, ...(result ?? { dsn: 'not sent again' }) })
    if (result === null) return
    const metric = metrics.singleMetric()
    if (result.suppressed === undefined)
      metric.addDimension('kind', job.kind).addMetric(Metric.dsnsSent, MetricUnit.Count, 1)
    else
      metric.addDimension('reason', result.suppressed).addMetric(Metric.dsnsSuppressed, MetricUnit.Count, 1)
  },
})
