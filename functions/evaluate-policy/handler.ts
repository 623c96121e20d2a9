/** evaluate-policy: the function of the evaluation queue. It makes all decisions and publishes the queue's notices. */
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createSnapshotObject, snapshotStore } from '../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'
import { decisionSettings, EvaluateEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { type CertificateNotice, type EvaluationJob, EvaluationQueueJob } from '../../shared/contract/jobs.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { JobSource, receivesOf } from '../../shared/lambda/job-source.ts'
import { sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import { Claims } from '../../shared/messages/claims.ts'
import { ContentAddressedStore } from '../../shared/messages/content-addressed-store.ts'
import { DailyNoticeLimit } from '../../shared/messages/daily-notice-limit.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { UnknownCertificateStore } from '../../shared/messages/unknown-certificate-store.ts'
import { KeptRequirement } from '../../shared/policy/kept-requirement.ts'
import { connectDeliveryQueue } from '../../shared/queues/delivery-queue.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import { topicPublisher } from '../../shared/queues/topic-publisher.ts'
import { createChangePublisher } from '../../shared/transport/change-events.ts'
import { DestinationStandings } from '../../shared/transport/destination-standings.ts'
import { ObservedList } from '../../shared/transport/observed-list.ts'
import { ObservedTable } from '../../shared/transport/observed-table.ts'
import { DeliveryPriorities } from './delivery-priority.ts'
import { evaluateJob } from './evaluate-job.ts'
import { type NoticeDependencies, type PublishedNotice, publishNotice } from './publish-notice.ts'
import { reportDeferral, reportNotice, reportVerdict } from './report.ts'
import { watchCertificates } from './watch-certificates.ts'

// Runs at cold start.
const logger = new Logger({ serviceName: 'evaluate-policy' })
const environment = readEnvironment(EvaluateEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const sqs = new SQSClient(clientDefaults)
const connectors = new SnapshotReader(documents, environment.CONNECTORS_TABLE, {
  object: createSnapshotObject(snapshotStore(documents, environment), (error) =>
    logger.warn('The snapshot of the connectors cannot be read', error),
  ),
})
const dependencies = {
  trace: new Trace(documents, environment.MESSAGES_TABLE),
  requirements: new ContentAddressedStore(
    documents,
    environment.MESSAGES_TABLE,
    'requirement',
    KeptRequirement,
  ),
  queues: {
    evaluation: new JobQueue<EvaluationJob>(sqs, environment.EVALUATION_QUEUE_URL),
    authentication: new JobQueue<EvaluationJob>(sqs, environment.AUTHENTICATION_QUEUE_URL),
    delivery: connectDeliveryQueue(sqs, environment),
    bounce: new JobQueue(sqs, environment.BOUNCE_QUEUE_URL),
  },
  priorities: new DeliveryPriorities(
    new DestinationStandings(documents, environment.TRANSPORT_TABLE),
    (error) => logger.warn("A domain's standing could not be read", error),
  ),
  settings: decisionSettings(environment),
  hostname: environment.MAIL_HOSTNAME,
  retentionDays: environment.TRACE_RETENTION_DAYS,
}
const noticeJobs = new JobQueue<CertificateNotice>(sqs, environment.EVALUATION_QUEUE_URL)
const watch = {
  observationSinks: {
    table: new ObservedTable(documents, environment.TRANSPORT_TABLE),
    publish: createChangePublisher(new EventBridgeClient(clientDefaults)),
  },
  notices: new NoticeQueue(noticeJobs),
}
const noticeDependencies: NoticeDependencies = {
  dailyLimit: new DailyNoticeLimit(documents, environment.MESSAGES_TABLE),
  claims: new Claims<PublishedNotice>(documents, environment.MESSAGES_TABLE),
  observedCertificates: new ObservedList(documents, environment.TRANSPORT_TABLE),
  unknownCertificates: new UnknownCertificateStore(documents, environment.MESSAGES_TABLE),
  publish: topicPublisher(new SNSClient(clientDefaults), environment.NOTICES_TOPIC_ARN),
  evaluation: noticeJobs,
}

// AWS calls this. Each batch reads the connectors again. If that read fails, nothing is decided, and the batch is
// retried. The time of the decisions is taken before the read, so the connectors are never older than a verdict's time.
export const handler = sqsHandler({
  job: EvaluationQueueJob,
  unit: 'evaluate-policy',
  source: new JobSource(sqs, [
    { queue: environment.EVALUATION_QUEUE_URL, deadLetters: environment.EVALUATION_DEAD_LETTERS_URL },
  ]),
  beforeBatch: async () => ({ now: new Date(), snapshot: await connectors.current() }),
  events: new EventQueue(sqs, environment.EVENTS_QUEUE_URL),
  async process(job, { batch: { now, snapshot }, record, logger, metrics, addEvent, afterEvents }) {
    const tools = { logger, metrics }
    if (job.kind !== undefined)
      return reportNotice(job, await publishNotice(job, now, noticeDependencies), tools)
    const receives = receivesOf(record)
    const { verdicts, events, sendJobs } = await evaluateJob(job, snapshot, now, dependencies, receives)
    for (const event of events) addEvent(event)
    afterEvents(async () => {
      await sendJobs()
      for (const verdict of verdicts) reportVerdict(job.message, verdict, tools)
      reportDeferral(job.message, verdicts, now, metrics)
      await watchCertificates(job, verdicts, snapshot, now, watch, { ...tools, addEvent })
    })
  },
})
