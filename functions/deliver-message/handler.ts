/** deliver-message: the function of the delivery queue. It makes one attempt and reports the result. */
import { Logger } from '@aws-lambda-powertools/logger'
import { DeliverEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { DeliveryJob } from '../../shared/contract/jobs.ts'
import { type JobTools, sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import { Tally } from '../../shared/tls-reports/tally.ts'
import { Batch, type Place } from './batch.ts'
import { Sightings, writeSightings } from './certificates-seen.ts'
import { deliverJob } from './deliver-job.ts'
import { lineOf } from './line.ts'
import { countDelivery, logDelivery } from './observe.ts'
import { SesPlaces } from './ses-place.ts'
import { isSlow } from './slow.ts'
import { connectStores } from './stores.ts'
import { writeSessions } from './tls-sessions.ts'
import { type BatchParts, Transmission } from './transmission.ts'

// AWS calls this.

export const handler = sqsHandler({
  unit: 'deliver-message',
  job: DeliveryJob,
  beforeBatch,
  process: deliverRecord,
  afterBatch,
})

// Cold start.

/** The function may run longer than `limitMs`, so that results can still be written. */
const limits = { limitMs: 270_000, minRemainingMs: 90_000 }

const environment = readEnvironment(DeliverEnvironment, process.env)
const logger = new Logger({ serviceName: 'deliver-message' })
const stores = connectStores(environment)
const transmission = new Transmission(environment, stores, logger)
const sesPlaces = new SesPlaces()

// Batches and records.

interface BatchState extends BatchParts {
  connectorsVersion: number
}

/** When the connectors' version cannot be read, nothing is sent and the batch comes back. */
async function beforeBatch(): Promise<BatchState> {
  const onFault = (error: Error) =>
    logger.warn('The slots of a destination could not be read or released', error)
  // Created first: the batch's time counts from here.
  const shared = new Batch({ ...limits, slots: stores.slots, onFault })
  const connectorsVersion = await stores.readConnectorsVersion()
  return { connectorsVersion, shared, tally: new Tally(), sightings: new Sightings() }
}

async function deliverRecord(job: DeliveryJob, tools: JobTools<BatchState>): Promise<void> {
  const place = placeFor(job, tools.batch)
  try {
    const delivery = await deliverJob(job, {
      ...stores.ofJobs,
      connectorsVersion: tools.batch.connectorsVersion,
      inTurn: place.inTurn,
      transmit: (_route, mail) => transmission.transmit(job, mail, tools),
      now: () => new Date(),
      random: Math.random,
      retentionDays: environment.TRACE_RETENTION_DAYS,
    })
    logDelivery(tools.logger, job, delivery)
    countDelivery(tools.metrics, job, delivery)
    if (delivery.busy.length > 0)
      throw new Error(`another worker holds ${delivery.busy.length} recipients; the job comes back for them`)
  } finally {
    place.leave()
  }
}

function placeFor(job: DeliveryJob, { shared }: BatchState): Place {
  const line = lineOf(job.route)
  return line === null ? sesPlaces.placeFor(job.message.content.length) : shared.join(line, isSlow(job))
}

async function afterBatch(
  { shared, tally, sightings }: BatchState,
  tools: Pick<JobTools, 'logger' | 'metrics'>,
): Promise<void> {
  await Promise.all([
    shared.end(),
    transmission.settle(),
    writeSessions(tally, stores.counters, Math.random, tools),
    writeSightings(sightings, stores.observed, new Date(), tools),
  ])
}
