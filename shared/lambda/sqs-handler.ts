/**
 * Builds the Lambda function of a job queue. Each record is independent: a failed record is reported by its id and is
 * retried after a delay (`retryDelaySeconds`), until the maximum receive count moves it to the dead-letter queue; the
 * other records are done. A job that no version can read goes to the dead-letter queue at once.
 */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type * as z from 'zod'
import type { MailEvent } from '../contract/events.ts'
import { Metric } from '../contract/metrics.ts'
import type { EventQueue } from '../events/event-queue.ts'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'
import { type JobSource, receivesOf } from './job-source.ts'
import { readJob } from './read-job.ts'
import { type UnitMetrics, unitMetrics } from './unit-metrics.ts'

/** The tools for the processing of one record. */
export interface JobTools<B = unknown> {
  /** The result of `beforeBatch`, the same for every record of the batch. */
  batch: B
  /** Every line contains the id of the SQS message. */
  logger: Logger
  /**
   * Shared by the batch and published at the batch's end. A dimension set on `metrics` applies to all metrics of the
   * batch, so a count with another dimension uses `metrics.countBy`.
   */
  metrics: UnitMetrics
  /**
   * Adds an event. The events of a batch are sent before its records are acknowledged. If that fails, each record that
   * added events is retried, so the retry must add the same events.
   */
  addEvent(event: MailEvent): void
  /**
   * Adds work that begins after the events of the batch were sent, and before the record is acknowledged. The work may
   * add events. If it fails, or the events cannot be sent, the record is retried.
   */
  afterEvents(work: () => Promise<void>): void
  record: SQSRecord
}

export interface SqsHandlerOptions<T extends z.ZodType, B> {
  /** Schema of a record's body. A body that does not match is never processed. */
  job: T
  /** The queues that invoke the function. */
  source: Pick<JobSource, 'delay' | 'sendToDeadLetters'>
  /** The queue for the events that the records add. */
  events?: Pick<EventQueue, 'send'>
  /** The unit's name in logs and metrics. */
  unit: string
  /** Records of one batch that are processed at the same time. @default 10 */
  maxConcurrentRecords?: number
  /** Rejects when the record must be retried. */
  process(job: z.output<T>, tools: JobTools<B>): Promise<void>
  /** Rejects when nothing can be decided now: the whole batch is retried, and no record is processed. */
  beforeBatch?(): Promise<B>
  /** Runs once, after all records have ended. An error is logged and does not affect the records. */
  afterBatch?(batch: B, tools: Pick<JobTools, 'logger' | 'metrics'>): Promise<void>
}

const defaultConcurrentRecords = 10

/**
 * 0: no response before Lambda's timeout. At the timeout Lambda ends the environment with all its work. After an early
 * response the environment would remain, and work in progress would continue in a later invocation, perhaps after
 * another worker has claimed that work.
 */
const timeoutEarlyMs = 0

type SqsHandler = (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse>

/** @returns the Lambda handler; its response names the records to retry */
export function sqsHandler<T extends z.ZodType, B = undefined>(options: SqsHandlerOptions<T, B>): SqsHandler {
  const logger = new Logger({ serviceName: options.unit })
  const metrics = unitMetrics(options.unit)
  const flush = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
  const handler = middy<SQSEvent, SQSBatchResponse>(
    (event: SQSEvent) => processBatch(options, event, { logger, metrics }),
    { timeoutEarlyInMillis: timeoutEarlyMs },
  ).after(flush)
  return (event, context) => handler(event, context ?? ({} as Context))
}

async function processBatch<T extends z.ZodType, B>(
  options: SqsHandlerOptions<T, B>,
  event: SQSEvent,
  tools: Pick<JobTools, 'logger' | 'metrics'>,
): Promise<SQSBatchResponse> {
  let batch: B
  try {
    batch = (await options.beforeBatch?.()) as B
  } catch (error) {
    tools.logger.error('The batch could not be prepared; its records are retried', error as Error)
    await delayFailed(options, event.Records, tools)
    return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }
  const limiter = concurrencyLimiter(options.maxConcurrentRecords ?? defaultConcurrentRecords)
  const processor = new BatchProcessor(EventType.SQS)
  const eventsOf = new Map<string, MailEvent[]>()
  const workOf = new Map<string, () => Promise<void>>()
  const processWithEvents = (record: SQSRecord) => {
    const { messageId } = record
    eventsOf.set(messageId, [])
    const addEvent = (added: MailEvent) => void eventsOf.get(messageId)?.push(added)
    const afterEvents = (work: () => Promise<void>) => void workOf.set(messageId, work)
    return processRecord(options, record, { ...tools, batch, addEvent, afterEvents })
  }
  const { batchItemFailures } = await processPartialResponse(
    event,
    (record: SQSRecord) => limiter(() => processWithEvents(record)),
    processor,
    { throwOnFullBatchFailure: false },
  )
  const failedIds = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  for (const id of await sendEvents(options, eventsOf, tools)) failedIds.add(id)
  const remaining = [...workOf].filter(([id]) => !failedIds.has(id))
  await Promise.all(
    remaining.map(async ([id, work]) => {
      if (!(await succeeds(() => limiter(work), id, tools))) failedIds.add(id)
    }),
  )
  for (const id of await sendEvents(options, eventsOf, tools)) failedIds.add(id)
  const failed = event.Records.filter(({ messageId }) => failedIds.has(messageId))
  await Promise.all([delayFailed(options, failed, tools), endBatch(options, batch, tools)])
  return { batchItemFailures: [...failedIds].map((itemIdentifier) => ({ itemIdentifier })) }
}

/** @returns false when the work failed, and its record must be retried */
async function succeeds(
  work: () => Promise<void>,
  sqsMessageId: string,
  { logger }: Pick<JobTools, 'logger'>,
): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    logger.error('The record failed and is retried', { sqsMessageId, error: error as Error })
    return false
  }
}

/**
 * Sends and removes the events of all records, also of those that failed: what they did may not be repeated.
 * @returns the ids of the records to retry because their events were not sent
 */
async function sendEvents<T extends z.ZodType, B>(
  { events: queue }: Pick<SqsHandlerOptions<T, B>, 'events'>,
  eventsOf: ReadonlyMap<string, MailEvent[]>,
  { logger }: Pick<JobTools, 'logger'>,
): Promise<string[]> {
  const ids = [...eventsOf].flatMap(([id, { length }]) => (length > 0 ? [id] : []))
  const events = [...eventsOf.values()].flatMap((added) => added.splice(0))
  if (events.length === 0) return []
  try {
    if (queue === undefined) throw new Error('the function has no events queue')
    await queue.send(events)
    return []
  } catch (error) {
    logger.error('The events could not be sent; their records are retried', error as Error)
    return ids
  }
}

/** A job counts as `JobsFailing` from this receive on, about a quarter of an hour after its first failure. */
const failingReceives = 7

async function delayFailed(
  { source }: Pick<SqsHandlerOptions<z.ZodType, unknown>, 'source'>,
  failed: readonly SQSRecord[],
  { logger, metrics }: Pick<JobTools, 'logger' | 'metrics'>,
): Promise<void> {
  if (failed.length === 0) return
  const failing = failed.filter((record) => receivesOf(record) >= failingReceives).length
  if (failing > 0) metrics.addMetric(Metric.jobsFailing, MetricUnit.Count, failing)
  const causes = await source.delay(failed)
  if (causes.length > 0) logger.warn('The delay of failed records could not be set', { causes })
}

async function endBatch<T extends z.ZodType, B>(
  { afterBatch }: SqsHandlerOptions<T, B>,
  batch: B,
  tools: Pick<JobTools, 'logger' | 'metrics'>,
): Promise<void> {
  await afterBatch?.(batch, tools).catch((error: unknown) => {
    tools.logger.error('The work at the end of a batch failed', error as Error)
  })
}

async function processRecord<T extends z.ZodType, B>(
  options: SqsHandlerOptions<T, B>,
  record: SQSRecord,
  tools: Omit<JobTools<B>, 'record'>,
): Promise<void> {
  const logger = tools.logger.createChild({ persistentKeys: { sqsMessageId: record.messageId } })
  try {
    const result = readJob(options.job, record.body)
    if (result.kind === 'FeatureUnknown') throw new Error(result.reason)
    if (result.kind === 'Job') return await options.process(result.job, { ...tools, logger, record })
    await options.source.sendToDeadLetters(record, result.reason)
    logger.error('The record was moved to the dead-letter queue', { reason: result.reason })
  } catch (error) {
    logger.error('The record failed and is retried', error as Error)
    throw error
  }
}
