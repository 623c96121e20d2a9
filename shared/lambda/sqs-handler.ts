/**
 * A Lambda function for a queue of jobs. Each record stands alone: one that fails is reported by its id and comes
 * back, until the queue's maximum receive count moves it to the dead-letter queue; the others are done.
 */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { z } from 'zod'
import { metricNamespace } from '../contract/metrics.ts'
import { parseJson } from '../contract/parse-json.ts'
import { dotted } from '../contract/schema-faults.ts'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'

/** What processing one record may use. */
export interface JobTools<B = unknown> {
  /** What `beforeBatch` read, the same for every record of the batch. */
  batch: B
  /** Every line carries the id of the queue's message. */
  logger: Logger
  /**
   * Shared by the batch and written out when it ends. Dimensions belong to everything stored in it, so a metric
   * with dimensions of its own goes through `metrics.singleMetric()`.
   */
  metrics: Metrics
  record: SQSRecord
}

export interface SqsHandlerOptions<T extends z.ZodType, B> {
  /** Schema of a record's body; a body that isn't such a job is reported as failed and never processed. */
  job: T
  /** The unit's name in logs and metrics. */
  unit: string
  /** Rejects when the record is to come back. */
  process(job: z.output<T>, tools: JobTools<B>): Promise<void>
  /** Rejects when nothing may be decided now: the whole batch comes back and nothing is processed. */
  beforeBatch?(): Promise<B>
  /** Once every record has ended, however it did. What it throws is logged, and changes nothing for the records. */
  afterBatch?(batch: B, tools: Pick<JobTools, 'logger' | 'metrics'>): Promise<void>
}

/** Records of one batch in progress at a time, however large a batch the queue is set to hand over. */
const concurrency = 10

/**
 * At its timeout Lambda kills the environment. An answer just before it would keep the environment, and what was
 * in progress would go on in a later invocation, perhaps after its claim has passed to another worker.
 */
const neverEarly = 0

type Handle = (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse>

/** @returns what AWS calls, answering with the records to bring back */
export function sqsHandler<T extends z.ZodType, B = undefined>(options: SqsHandlerOptions<T, B>): Handle {
  const logger = new Logger({ serviceName: options.unit })
  const metrics = new Metrics({ namespace: metricNamespace, serviceName: options.unit })
  const flush = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
  const handler = middy<SQSEvent, SQSBatchResponse>(
    (event: SQSEvent) => processBatch(options, event, { logger, metrics }),
    { timeoutEarlyInMillis: neverEarly },
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
    tools.logger.error('Nothing of this batch can be decided now', error as Error)
    return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }
  const slots = concurrencyLimiter(concurrency)
  const processor = new BatchProcessor(EventType.SQS)
  try {
    return await processPartialResponse(
      event,
      (record: SQSRecord) => slots(() => processRecord(options, record, { ...tools, batch })),
      processor,
      { throwOnFullBatchFailure: false },
    )
  } finally {
    await options.afterBatch?.(batch, tools).catch((error: unknown) => {
      tools.logger.error('The end of a batch failed', error as Error)
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
    logger.error('The record failed and comes back', error as Error)
    throw error
  }
}

/** @throws Error naming each fault by its path, never the values, which belong to somebody's mail */
function readJob<T extends z.ZodType>(schema: T, body: string): z.output<T> {
  const parsed = schema.safeParse(parseJson(body))
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues
    .flatMap(nearest)
    .map(({ path, code }) => `${dotted(path) || 'body'} (${code})`)
  throw new Error(`The record is not a job of this queue: ${faults.join(', ')}`)
}

/** Of a queue that takes several kinds of jobs: the faults as that kind which the body comes nearest to. */
function nearest(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const [fewest] = [...issue.errors].sort((one, other) => one.length - other.length)
  return fewest?.map((fault) => ({ ...fault, path: [...issue.path, ...fault.path] })) ?? [issue]
}
