/** deliver-message: the function of the delivery queue. It makes one attempt for each job and reports the result. */
import { Logger } from '@aws-lambda-powertools/logger'
import { DeliverEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { DeliveryJob } from '../../shared/contract/jobs.ts'
import { type JobTools, sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { reportRequests } from '../../shared/tls-reports/report-requests.ts'
import { Tally } from '../../shared/tls-reports/tally.ts'
import { Batch, type QueueEntry } from './batch.ts'
import { contentMemory } from './content-memory.ts'
import { deliverJob } from './deliver-job.ts'
import { deliveredEvents } from './delivered-events.ts'
import { destinationKey } from './destination-key.ts'
import { loadShownBy } from './destination-load.ts'
import { countDelivery, countSesQuota, logDelivery } from './log-delivery.ts'
import { ObservedCertificates, writeObservedCertificates } from './observed-certificates.ts'
import { recentValue } from './recent-value.ts'
import { StandingRecorder } from './record-standing.ts'
import type { QueueReturn } from './return-to-queue.ts'
import { SesSlots } from './ses-slots.ts'
import { needsSlowHostSlot } from './slow-hosts.ts'
import { connectStores } from './stores.ts'
import { writeSessionCounts } from './tls-sessions.ts'
import { type BatchContext, Transmission } from './transmission.ts'

// Runs at cold start.

/** The function may run longer than `limitMs`, so that results can still be written. */
const limits = { limitMs: 270_000, minRemainingMs: 90_000 }

/** The records of a whole batch: those of one destination count their slots together. */
const maxConcurrentRecords = 50

const environment = readEnvironment(DeliverEnvironment, process.env)
const logger = new Logger({ serviceName: 'deliver-message' })
const stores = connectStores(environment, {
  onRead: (quota) => countSesQuota(unitMetrics('deliver-message'), quota),
  onError: (error) => logger.warn('The quota of Amazon SES could not be read', error),
})
const sesSlots = new SesSlots({
  limiter: stores.sesLimiter,
  now: Date.now,
  random: Math.random,
  onError: (error) => logger.warn('No time could be reserved for Amazon SES', error),
  onDailyQuotaUsedUp: (max24HourSend) =>
    logger.warn('The quota of Amazon SES for 24 hours is used up; mail waits', { max24HourSend }),
})
const resolver = createResolver(environment.DNS_SERVERS)
const transmission = new Transmission(environment, stores, resolver, logger, () => sesSlots.pause())
const sessionCounts = {
  counters: stores.counters,
  requestsReports: reportRequests({ resolver, now: Date.now }),
}
const inContentMemory = contentMemory()
const standings = new StandingRecorder(stores.standings, (error) =>
  logger.warn("A domain's standing could not be recorded", error),
)

// AWS calls this.

export const handler = sqsHandler({
  unit: 'deliver-message',
  job: DeliveryJob,
  source: stores.jobs,
  events: stores.events,
  beforeBatch,
  maxConcurrentRecords,
  process: deliverRecord,
  afterBatch,
})

// Batches and records.

interface BatchState extends BatchContext {
  connectorsVersion(): Promise<number>
}

/** A job may wait for minutes for its slot, so the version is read again. */
const maxVersionAgeMs = 5_000

/** When the connectors' version cannot be read, nothing is sent and the batch is retried. */
async function beforeBatch(): Promise<BatchState> {
  const onError = (error: Error) =>
    logger.warn('The slots of a destination could not be read or released', error)
  // `Batch` is created first, because the time limit of its attempts begins then.
  const shared = new Batch({ ...limits, slots: stores.slots, onError })
  const connectorsVersion = await recentValue(stores.readConnectorsVersion, maxVersionAgeMs)
  return { connectorsVersion, shared, tally: new Tally(), observations: new ObservedCertificates() }
}

async function deliverRecord(job: DeliveryJob, tools: JobTools<BatchState>): Promise<void> {
  const entry = enqueueJob(job, tools.batch)
  try {
    const delivery = await deliverJob(job, {
      ...stores.deliverDependencies,
      connectorsVersion: tools.batch.connectorsVersion,
      runWithSlot: (work) => runInTurn(job, entry, tools.batch, work),
      transmit: (_route, mail) => transmission.transmit(job, mail, tools),
      now: () => new Date(),
      random: Math.random,
      retentionDays: environment.TRACE_RETENTION_DAYS,
    })
    for (const event of deliveredEvents(job, delivery)) tools.addEvent(event)
    logDelivery(tools.logger, job, delivery)
    countDelivery(tools.metrics, job, delivery)
    const load = loadShownBy(delivery.newAttempts.map(({ attempt }) => attempt))
    if (load !== null) entry.reportLoad(load)
    await standings.record(job, delivery.newAttempts, new Date())
    if (delivery.busyRecipients.length > 0)
      throw new Error(
        `another worker holds ${delivery.busyRecipients.length} recipients; the job is retried for them`,
      )
  } finally {
    entry.leave()
  }
}

/** The wait for a slot, and then for memory, may use up the time of the batch. */
const runInTurn = <T>(
  job: DeliveryJob,
  entry: QueueEntry,
  { shared }: BatchState,
  work: () => Promise<T>,
): Promise<T | QueueReturn> =>
  entry.runWithSlot(() => inContentMemory(job, () => shared.runIfTimeIsLeft(work)))

function enqueueJob(job: DeliveryJob, { shared }: BatchState): QueueEntry {
  const key = destinationKey(job.route)
  return key === null ? sesSlots.slotFor(job) : shared.enqueue(key, needsSlowHostSlot(job))
}

async function afterBatch(
  { shared, tally, observations }: BatchState,
  tools: Pick<JobTools, 'logger' | 'metrics'>,
): Promise<void> {
  await Promise.all([
    shared.end(),
    transmission.settle(),
    writeSessionCounts(tally, sessionCounts, Math.random, tools),
    writeObservedCertificates(observations, stores.observed, new Date(), tools),
  ])
}
