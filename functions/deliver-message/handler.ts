/** deliver-message: the delivery queue's function. It tries once and reports. */
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

// What AWS calls.

export const handler = sqsHandler({
  unit: 'deliver-message',
  job: DeliveryJob,
  beforeBatch,
  process: deliverRecord,
  afterBatch,
})

// What runs at cold start.

/** The function may run for longer, so that what came of an attempt can still be written down. */
const limits = { limitMs: 270_000, leastMs: 90_000 }

const environment = readEnvironment(DeliverEnvironment, process.env)
const logger = new Logger({ serviceName: 'deliver-message' })
const stores = connectStores(environment)
const transmission = new Transmission(environment, stores, logger)
const sesPlaces = new SesPlaces()

// What runs for each batch, and for each of its records.

interface BatchState extends BatchParts {
  connectorsVersion: number
}

/** When connectors cannot be asked for their version, nothing leaves: the batch comes back. */
async function beforeBatch(): Promise<BatchState> {
  const onFault = (error: Error) => logger.warn('A place at a destination is not known', error)
  // First: the time of a batch counts from here.
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
      throw new Error(`${delivery.busy.length} recipients are being tried by another worker`)
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
    transmission.settled(),
    writeSessions(tally, stores.counters, Math.random, tools),
    writeSightings(sightings, stores.observed, new Date(), tools),
  ])
}
