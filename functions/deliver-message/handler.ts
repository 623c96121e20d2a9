import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SESClient } from '@aws-sdk/client-ses'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { readVersion } from '../../shared/connectors-table/version.ts'
import { ContentReader } from '../../shared/content/reader.ts'
import { DeliverEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { DeliveryJob, type EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Attempt } from '../../shared/contract/message.ts'
import { clientDefaults, onceOnly } from '../../shared/lambda/aws-clients.ts'
import { type JobTools, sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import { Claims, type Forestalled } from '../../shared/messages/claims.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { ClientCertificates } from '../../shared/net/client-credentials.ts'
import { MtaStsSource } from '../../shared/net/mta-sts/source.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { RevocationChecker } from '../../shared/net/revocation/checker.ts'
import { deliverBySes, type SesOptions } from '../../shared/net/ses-delivery.ts'
import { deliverBySmtp, type SmtpOptions } from '../../shared/net/smtp-delivery.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { SessionCounters } from '../../shared/tls-reports/counters.ts'
import { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import { Tally } from '../../shared/tls-reports/tally.ts'
import { changeTeller } from '../../shared/transport/change-events.ts'
import { ObservedTable } from '../../shared/transport/observed-table.ts'
import { PolicyTable } from '../../shared/transport/policy-table.ts'
import { RevocationTable } from '../../shared/transport/revocation-table.ts'
import { Slots } from '../../shared/transport/slots.ts'
import { Batch } from './batch.ts'
import { certificateWatch, Sightings, writeSightings } from './certificates-seen.ts'
import { type Dependencies, deliverJob } from './deliver-job.ts'
import { keepReport, outcomesOfKept, type Dependencies as ReportDependencies } from './keep-report.ts'
import { lineOf } from './line.ts'
import { countDelivery, countKept, logDelivery } from './observe.ts'
import { SesPlaces } from './ses-place.ts'
import { isSlow } from './slow.ts'
import { sessionRecorder, writeSessions } from './tls-sessions.ts'

// What AWS calls.

/** The function may run for longer, so that what came of an attempt can still be written down. */
const limits = { limitMs: 270_000, leastMs: 90_000 }

/** For policies that are being renewed, and revocations that are being asked for, when a batch is at its end. */
const renewalPatienceMs = 10_000

/** As long as the function may run; no delivery goes on behind it. A place is not worth waiting for. */
const places = { leaseMs: 300_000, patienceMs: 2_000 }

export const handler = sqsHandler({
  unit: 'deliver-message',
  job: DeliveryJob,
  beforeBatch,
  process: deliverRecord,
  afterBatch,
})

// What runs at cold start.

const environment = readEnvironment(DeliverEnvironment, process.env)
const logger = new Logger({ serviceName: 'deliver-message' })
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const queues = new SQSClient(clientDefaults)
const content = new ContentReader(new S3Client(clientDefaults))

const claimsAndQueues: Omit<Dependencies, 'transmit' | 'inTurn' | 'connectorsVersion'> = {
  claims: new Claims<Attempt | Forestalled>(documents, environment.MESSAGES_TABLE),
  trace: new Trace(documents, environment.MESSAGES_TABLE),
  evaluation: new JobQueue<EvaluationJob>(queues, environment.EVALUATION_QUEUE_URL),
  delivery: new JobQueue<DeliveryJob>(queues, environment.DELIVERY_QUEUE_URL),
  read: (reference) => content.read(reference),
  now: () => new Date(),
  random: Math.random,
  retentionDays: environment.TRACE_RETENTION_DAYS,
}

const resolver = createResolver(environment.DNS_SERVERS)

const policies = new MtaStsSource({
  store: new PolicyTable(documents, environment.TRANSPORT_TABLE),
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  now: () => new Date(),
  told: (trouble) => logger.warn('MTA-STS: a policy is not to be had or not to be renewed', { ...trouble }),
})

const revocation = new RevocationChecker({
  store: new RevocationTable(documents, environment.TRANSPORT_TABLE, 'delivery'),
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  now: () => new Date(),
})

const certificates = new ClientCertificates(new SecretsManagerClient(clientDefaults))

const smtp: Omit<SmtpOptions, 'signal'> = {
  name: environment.MAIL_HOSTNAME,
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  random: Math.random,
  timeouts: environment.SMTP_TIMEOUT_SECONDS,
  mtaSts: (domain, signal) => policies.policyFor(domain, signal),
  credentials: (name) => certificates.read(name),
  revocation: (chain, signal) => revocation.ofSession(chain, signal),
}

const ses: Omit<SesOptions, 'signal'> = {
  // A request repeated after its answer was lost is a second copy; another attempt is the queue's to make.
  ses: new SESClient(onceOnly),
  configurationSets: {
    requireTls: environment.SES_CONFIGURATION_SET_REQUIRE_TLS,
    optionalTls: environment.SES_CONFIGURATION_SET_OPTIONAL_TLS,
  },
}

const slots = new Slots(documents, environment.TRANSPORT_TABLE, {
  ...places,
  most: environment.DELIVERIES_PER_DESTINATION,
})

const counters = new SessionCounters(documents, environment.TRANSPORT_TABLE)
const noting = {
  table: new ObservedTable(documents, environment.TRANSPORT_TABLE),
  tell: changeTeller(new EventBridgeClient(clientDefaults)),
}
const keeping: Omit<ReportDependencies, 'signal'> = {
  reports: new ReceivedReports(documents, environment.TRANSPORT_TABLE),
  resolver: smtp.resolver,
  now: claimsAndQueues.now,
  retentionDays: environment.TRACE_RETENTION_DAYS,
}

// What runs for each batch, and for each of its records.

/** When connectors cannot be asked for their version, nothing leaves: the batch comes back. */
async function beforeBatch() {
  const onFault = (error: Error) => logger.warn('A place at a destination is not known', error)
  // First: the time of a batch counts from here.
  const shared = new Batch({ ...limits, slots, onFault })
  const connectorsVersion = await readVersion(documents, environment.CONNECTORS_TABLE)
  return { connectorsVersion, shared, tally: new Tally(), sightings: new Sightings() }
}

type BatchState = Awaited<ReturnType<typeof beforeBatch>>

/** What an attempt did not wait for: a function that is frozen in the middle of a fetch has lost it. */
async function afterBatch(
  { shared, tally, sightings }: BatchState,
  tools: Pick<JobTools, 'logger' | 'metrics'>,
): Promise<void> {
  await Promise.all([
    shared.end(),
    policies.settled(renewalPatienceMs),
    revocation.settled(renewalPatienceMs),
    writeSessions(tally, counters, Math.random, tools),
    writeSightings(sightings, noting, claimsAndQueues.now(), tools),
  ])
}

const sesPlaces = new SesPlaces()

async function deliverRecord(
  job: DeliveryJob,
  { batch: { shared, connectorsVersion, tally, sightings }, logger, metrics }: JobTools<BatchState>,
): Promise<void> {
  const { signal, sessions, find } = shared
  const line = lineOf(job.route)
  const place =
    line === null ? sesPlaces.placeFor(job.message.content.length) : shared.join(line, isSlow(job))
  try {
    const delivery = await deliverJob(job, {
      ...claimsAndQueues,
      connectorsVersion,
      inTurn: place.inTurn,
      transmit: async (route, mail) => {
        if (route.kind === 'Ses') return deliverBySes(mail, { ...ses, signal })
        if (route.kind === 'TlsReports') {
          const kept = await keepReport(job.message, mail.content, { ...keeping, signal })
          countKept(logger, metrics, job.message.id, kept)
          return outcomesOfKept(kept, mail)
        }
        const { record } = sessionRecorder(tally, mail, claimsAndQueues.now)
        const watch = certificateWatch(sightings, job, claimsAndQueues.now)
        return deliverBySmtp(route, mail, {
          ...smtp,
          credentials: watch.credentials(smtp.credentials),
          record(session) {
            record?.(session)
            watch.session(session)
          },
          signal,
          find,
          open: (hop, options, anew) => sessions.open(hop, options, anew),
        })
      },
    })
    logDelivery(logger, job, delivery)
    countDelivery(metrics, job, delivery)
    if (delivery.busy.length > 0)
      throw new Error(`${delivery.busy.length} recipients are being tried by another worker`)
  } finally {
    place.leave()
  }
}
