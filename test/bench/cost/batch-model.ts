/** The batches that Lambda's pollers make of a queue at a rate. What they do is derived from AWS's description. */
import type { Line } from './call-statistics.ts'
import type { RecordedFunction } from './recording.ts'
import type { EventSourceFacts } from './stack-facts.ts'

/**
 * Batches that Lambda reads at the same time from a standard queue until it needs more
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
 */
export const minimumPollers = 5

/** Seconds from one receive of a poller to the next one. An assumption. */
const receiveSeconds = 0.01
/** SQS's maximum for one receive or delete. */
const messagesPerRequest = 10

/**
 * Memory with which a function has a whole processor
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
 */
const memoryOfProcessorMiB = 1769

export interface Batches {
  /** Jobs of an invocation. */
  readonly jobs: number
  /** Billed milliseconds of an invocation. */
  readonly durationMs: number
  /** Invocations that run at the same time. */
  readonly concurrency: number
  /** Whether the maximum concurrency suffices for the rate. */
  readonly isSufficient: boolean
  readonly receivesPerJob: number
  readonly deletesPerJob: number
}

const at = ({ perBatch, perMessage }: Line, jobs: number): number => perBatch + perMessage * jobs

/**
 * Milliseconds of an invocation. The recorded processor time is that of a whole processor; a function has a share of
 * one by its memory.
 */
export function durationMs(
  { cpuMs, waitMs }: Pick<RecordedFunction, 'cpuMs' | 'waitMs'>,
  jobs: number,
  memoryMiB: number,
) {
  const share = Math.min(1, memoryMiB / memoryOfProcessorMiB)
  return at(cpuMs, jobs) / share + at(waitMs, jobs)
}

/** @param jobsPerSecond arriving at the queue */
export function batchesAt(
  jobsPerSecond: number,
  source: EventSourceFacts,
  recorded: Pick<RecordedFunction, 'cpuMs' | 'waitMs'>,
  memoryMiB: number,
): Batches {
  const pollers = Math.min(minimumPollers, source.maximumConcurrency)
  const collected = Math.min(source.batchSize, 1 + (jobsPerSecond / pollers) * source.windowSeconds)
  const concurrencyFor = (jobs: number) =>
    (jobsPerSecond / jobs) * (durationMs(recorded, jobs, memoryMiB) / 1000)
  // When all invocations are busy, jobs wait and the next batches become larger.
  const sizes = Array.from({ length: source.batchSize }, (_, index) => index + 1).filter(
    (jobs) => jobs > collected,
  )
  const jobs =
    [collected, ...sizes].find((size) => concurrencyFor(size) <= source.maximumConcurrency) ??
    source.batchSize
  const perReceive = Math.min(
    messagesPerRequest,
    Math.max(1, (jobsPerSecond / pollers) * receiveSeconds),
    jobs,
  )
  // A batch that had to wait is read by full receives.
  const receivesPerJob = jobs > collected ? 1 / Math.min(messagesPerRequest, jobs) : 1 / perReceive
  return {
    jobs,
    durationMs: durationMs(recorded, jobs, memoryMiB),
    concurrency: concurrencyFor(jobs),
    isSufficient: concurrencyFor(jobs) <= source.maximumConcurrency,
    receivesPerJob,
    deletesPerJob: Math.ceil(jobs / messagesPerRequest) / jobs,
  }
}
