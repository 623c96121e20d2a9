/** evaluate-policy: the evaluation queue's function. It alone decides. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { SnapshotReader } from '../../shared/connectors/repository.ts'
import { EvaluateEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Attempt } from '../../shared/contract/message.ts'
import { Claims, type Forestalled } from '../../shared/messages/claims.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { clientDefaults } from '../../shared/middleware/aws-clients.ts'
import { sqsHandler } from '../../shared/middleware/sqs-handler.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { evaluateJob } from './evaluate-job.ts'
import { reportVerdict } from './report.ts'

// What runs at cold start.
const environment = readEnvironment(EvaluateEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const sqs = new SQSClient(clientDefaults)
const connectors = new SnapshotReader(documents, environment.CONNECTORS_TABLE)
const dependencies = {
  trace: new Trace(documents, environment.MESSAGES_TABLE),
  claims: new Claims<Attempt | Forestalled>(documents, environment.MESSAGES_TABLE),
  queues: {
    evaluation: new JobQueue<EvaluationJob>(sqs, environment.EVALUATION_QUEUE_URL),
    delivery: new JobQueue(sqs, environment.DELIVERY_QUEUE_URL),
    bounce: new JobQueue(sqs, environment.BOUNCE_QUEUE_URL),
  },
  settings: { defaultRoute: environment.DEFAULT_ROUTE },
  retentionDays: environment.TRACE_RETENTION_DAYS,
}

// What AWS calls, and what runs for each record. Connectors are read anew for each batch; when they cannot be
// read, the batch comes back and nothing is decided. A batch is decided as of the moment before that read, so that
// no verdict is later than the connectors it was reached by.
export const handler = sqsHandler({
  job: EvaluationJob,
  unit: 'evaluate-policy',
  beforeBatch: async () => ({ now: new Date(), snapshot: await connectors.current() }),
  async process(job, { batch: { now, snapshot }, logger, metrics }) {
    const verdicts = await evaluateJob(job, snapshot, now, dependencies)
    for (const verdict of verdicts) reportVerdict(job.message, verdict, { logger, metrics })
  },
})
