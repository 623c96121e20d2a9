import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SESClient } from '@aws-sdk/client-ses'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { readVersion } from '../../shared/connectors/version.ts'
import { ContentReader } from '../../shared/content/reader.ts'
import { DeliverEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { DeliveryJob, type EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Attempt } from '../../shared/contract/message.ts'
import { Claims, type Forestalled } from '../../shared/messages/claims.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { clientDefaults, onceOnly } from '../../shared/middleware/aws-clients.ts'
import { type JobTools, sqsHandler } from '../../shared/middleware/sqs-handler.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { deliverBySes, type SesOptions } from '../../shared/net/ses-delivery.ts'
import { deliverBySmtp, type SmtpOptions } from '../../shared/net/smtp-delivery.ts'
import { defaultTimeouts } from '../../shared/net/smtp-session.ts'
import { noMtaSts } from '../../shared/policy/transport-security.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { type Dependencies, deliverJob } from './deliver-job.ts'
import { countDelivery, logDelivery } from './observe.ts'

// What AWS calls.

/** Less than the function may run, so that what came of an attempt can still be written down. */
const attemptLimitMs = 270_000

export const handler = sqsHandler({
  unit: 'deliver-message',
  job: DeliveryJob,
  beforeBatch,
  process: deliverRecord,
})

// What runs at cold start.

const environment = readEnvironment(DeliverEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const content = new ContentReader(new S3Client(clientDefaults))

const claimsAndQueues: Omit<Dependencies, 'transmit' | 'connectorsVersion'> = {
  claims: new Claims<Attempt | Forestalled>(documents, environment.MESSAGES_TABLE),
  trace: new Trace(documents, environment.MESSAGES_TABLE),
  evaluation: new JobQueue<EvaluationJob>(new SQSClient(clientDefaults), environment.EVALUATION_QUEUE_URL),
  read: (reference) => content.read(reference),
  now: () => new Date(),
  retentionDays: environment.TRACE_RETENTION_DAYS,
}

const smtp: Omit<SmtpOptions, 'signal'> = {
  name: environment.MAIL_HOSTNAME,
  resolver: createResolver(environment.DNS_SERVERS),
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  random: Math.random,
  timeouts: defaultTimeouts,
  mtaSts: async () => noMtaSts,
  credentials: async (name) => {
    throw new Error(`there is no way yet to read ${name}`)
  },
}

const ses: Omit<SesOptions, 'signal'> = {
  // A request repeated after its answer was lost is a second copy; another attempt is the queue's to make.
  ses: new SESClient(onceOnly),
  configurationSets: {
    requireTls: environment.SES_CONFIGURATION_SET_REQUIRE_TLS,
    optionalTls: environment.SES_CONFIGURATION_SET_OPTIONAL_TLS,
  },
}

// What runs for each record.

/** When connectors cannot be asked for their version, nothing leaves: the batch comes back. */
async function beforeBatch() {
  const signal = AbortSignal.timeout(attemptLimitMs)
  return { signal, connectorsVersion: await readVersion(documents, environment.CONNECTORS_TABLE) }
}

async function deliverRecord(
  job: DeliveryJob,
  {
    batch: { signal, connectorsVersion },
    logger,
    metrics,
  }: JobTools<Awaited<ReturnType<typeof beforeBatch>>>,
): Promise<void> {
  const delivery = await deliverJob(job, {
    ...claimsAndQueues,
    connectorsVersion,
    transmit: (route, mail) =>
      route.kind === 'Mx' || route.kind === 'SmartHosts'
        ? deliverBySmtp(route, mail, { ...smtp, signal })
        : deliverBySes(mail, { ...ses, signal }),
  })
  logDelivery(logger, job, delivery)
  countDelivery(metrics, job, delivery)
  if (delivery.busy.length > 0)
    throw new Error(`${delivery.busy.length} recipients are being tried by another worker`)
}
