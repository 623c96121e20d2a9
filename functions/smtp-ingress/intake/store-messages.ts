/**
 * Stores messages: first contents, then the jobs that refer to them. A message is stored when both are acknowledged.
 * The bucket's lifecycle removes a content without a job; a job never refers to a missing content.
 */
import type { SegmentWriter } from '../../../shared/content/segment-writer.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'
import type { JobQueue } from '../../../shared/queues/job-queue.ts'
import { type AcceptedMessage, buildEvaluationJobs } from './evaluation-jobs.ts'

export interface Stores {
  segments: Pick<SegmentWriter, 'write'>
  queue: Pick<JobQueue<EvaluationJob>, 'trySend'>
}

type Failure = Error | null

/** @returns for each message null or its error; rejects when the contents cannot be stored */
export async function storeMessages(
  { segments, queue }: Stores,
  batch: readonly AcceptedMessage[],
): Promise<Failure[]> {
  const contents = await storeContents(segments, batch)
  const jobs = batch.map((accepted, index) =>
    buildEvaluationJobs(accepted, contents[index] as ContentReference),
  )
  const failures = await sendWithRetry(queue, jobs.flat())
  let offset = 0
  return jobs.map(({ length }) => {
    const messageFailures = failures.slice(offset, offset + length)
    offset += length
    // RFC 5321 has no reply for only some recipients, so one missing job fails the whole message. The client sends it
    // again, and recipients with a job may get it twice. A duplicate is better than a loss.
    return messageFailures.find((failure) => failure !== null) ?? null
  })
}

/** @returns the content reference of each message */
async function storeContents(
  segments: Stores['segments'],
  batch: readonly AcceptedMessage[],
): Promise<ContentReference[]> {
  const buffered = batch.flatMap(({ content }) => (Buffer.isBuffer(content) ? [content] : []))
  const references = buffered.length > 0 ? await segments.write(buffered) : []
  let nextIndex = 0
  return batch.map(({ content }) =>
    Buffer.isBuffer(content) ? (references[nextIndex++] as ContentReference) : content,
  )
}

/** SQS may accept part of a batch; the rest gets one retry. */
async function sendWithRetry(queue: Stores['queue'], jobs: readonly EvaluationJob[]): Promise<Failure[]> {
  const failures = await queue.trySend(jobs.map((job) => ({ job })))
  const failedIndexes = [...jobs.keys()].filter((index) => failures[index] !== null)
  // If all jobs failed, the queue is down, and the request was already retried.
  if (failedIndexes.length === 0 || failedIndexes.length === jobs.length) return failures
  const retryFailures = await queue.trySend(
    failedIndexes.map((index) => ({ job: jobs[index] as EvaluationJob })),
  )
  failedIndexes.forEach((index, position) => {
    failures[index] = retryFailures[position] ?? null
  })
  return failures
}
