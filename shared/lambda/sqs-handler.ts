/**
 * Builds the Lambda function of a job queue. Each record is independent: a failed record is reported by its id and is
 * retried until the maximum receive count moves it to the dead-letter queue; the other records are done.
 */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type * as z from 'zod'
import { metricNamespace } from '../contract/metrics.ts'
import { parseJson } from '../contract/parse-json.ts'
import { formatPath } from '../contract/schema-faults.ts'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'

/** The tools for the processing of one record. */
export interface JobTools<B = unknown> {
  /** The result of `beforeBatch`, the same for every record of the batch. */
  batch: B
  /** Every line contains the id of the SQS message. */
  logger: Logger
  /**
   * Shared by the batch and published at the batch's end. A dimension set on `metrics` applies to all metrics of the
   * batch, so a metric with other dimensions uses `metrics.singleMetric()`.
   */
  metrics: Metrics
  record: SQSRecord
}

export interface SqsHandlerOptions<T extends z.ZodType, B> {
  /** Schema of a record's body. A body that does not match is reported as failed and never processed. */
  job: T
  /** The unit's name in logs and metrics. */
  unit: string
  /** Rejects when the record must be retried. */
  process(job: z.output<T>, tools: JobTools<B>): Promise<void>
  /** Rejects when nothing can be decided now: the whole batch is retried, and no record is processed. */
  beforeBatch?(): Promise<B>
  /** Runs once, after all records have ended. An error is logged and does not affect the records. */
  afterBatch?(batch: B, tools: Pick<JobTools, 'logger' | 'metrics'>): Promise<void>
}

/** Records of one batch that are processed at the same time, for any batch size of the queue. */
const maxConcurrentRecords = 10

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
  const metrics = new Metrics({ namespace: metricNamespace, serviceName: options.unit })
  const flush = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
  const handler = middy<SQSEvent, SQSBatchResponse>(
    (event: SQSEvent) => processBatch(options, event, { logger, metrics }),
    { timeoutEarlyInMillis: timeoutEarlyMs },
  ).after(flush)
  return (event, context) => handler(event, context ?? ({} as Context))
}

type BatchTools<B> = Omit<JobTools<B>, 'record'>

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
    return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }
  const limiter = concurrencyLimiter(maxConcurrentRecords)
  const processor = new BatchProcessor(EventType.SQS)
  try {
    return await processPartialResponse(
      event,
      (record: SQSRecord) => limiter(() => processRecord(options, record, { ...tools, batch })),
      processor,
      { throwOnFullBatchFailure: false },
    )
  } finally {
    await options.afterBatch?.(batch, tools).catch((error: unknown) => {
      tools.logger.error('The work at the end of a batch failed', error as Error)
    })
  }
}

async function processRecord<T extends z.ZodType, B>(
  options: SqsHandlerOptions<T, B>,
  record: SQSRecord,
  tools: BatchTools<B>,
): Promise<void> {
  const logger = tools.logger.createChild({ persistentKeys: { sqsMessageId: record.messageId } })
  try {
    const job = readJob(options.job, record.body)
    await options.process(job, { ...tools, logger, record })
  } catch (error) {
    logger.error('The record failed and is retried', error as Error)
    throw error
  }
}

/** @throws Error that names each fault by its path, without values, because the values may be private mail */
function readJob<T extends z.ZodType>(schema: T, body: string): z.output<T> {
  const parsed = schema.safeParse(parseJson(body))
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues
    .flatMap(nearestFaults)
    .map(({ path, code }) => `${formatPath(path) || 'body'} (${code})`)
  throw new Error(`The record is not a job of this queue: ${faults.join(', ')}`)
}

/**
 * Returns the faults; for a queue with several kinds of jobs, the faults against the kind that the body matches best.
 */
function nearestFaults(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const [fewest] = [...issue.errors].sort((first, second) => first.length - second.length)
  return fewest?.map((fault) => ({ ...fault, path: [...issue.path, ...fault.path] })) ?? [issue]
}
