/**
 * Making messages durable: contents first, then the jobs that refer to them. A message is stored when both are
 * acknowledged. A content whose job was not taken is garbage that the bucket's lifecycle removes; a job never
 * refers to what is not there.
 */
import type { SegmentWriter } from '../../../shared/content/segment.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'
import type { JobQueue } from '../../../shared/queues/job-queue.ts'
import { type Accepted, jobsFor } from './jobs.ts'

export interface Stores {
  segments: Pick<SegmentWriter, 'write'>
  queue: Pick<JobQueue<EvaluationJob>, 'trySend'>
}

type Failure = Error | null

/** @returns for each message null, or why it is not stored; rejects when none of them is */
export async function storeMessages(
  { segments, queue }: Stores,
  batch: readonly Accepted[],
): Promise<Failure[]> {
  const contents = await storeContents(segments, batch)
  const jobs = batch.map((accepted, index) => jobsFor(accepted, contents[index] as ContentReference))
  const failures = await sendTwice(queue, jobs.flat())
  let sent = 0
  return jobs.map(({ length }) => {
    const own = failures.slice(sent, sent + length)
    sent += length
    // RFC 5321 has no reply for some of the recipients, so one job missing is the message missing: the client
    // sends it again, and those whose job was taken may get it twice. Rather that than not at all.
    return own.find((failure) => failure !== null) ?? null
  })
}

/** @returns the place of each message's content */
async function storeContents(
  segments: Stores['segments'],
  batch: readonly Accepted[],
): Promise<ContentReference[]> {
  const held = batch.flatMap(({ content }) => (Buffer.isBuffer(content) ? [content] : []))
  const written = held.length > 0 ? await segments.write(held) : []
  let next = 0
  return batch.map(({ content }) =>
    Buffer.isBuffer(content) ? (written[next++] as ContentReference) : content,
  )
}

/** A queue takes some of a batch and refuses others for a moment; those get one more chance. */
async function sendTwice(queue: Stores['queue'], jobs: readonly EvaluationJob[]): Promise<Failure[]> {
  const failures = await queue.trySend(jobs.map((job) => ({ job })))
  const again = [...jobs.keys()].filter((index) => failures[index] !== null)
  // Nothing was taken at all: that is an outage, and the SDK has already retried it.
  if (again.length === 0 || again.length === jobs.length) return failures
  const second = await queue.trySend(again.map((index) => ({ job: jobs[index] as EvaluationJob })))
  again.forEach((index, position) => {
    failures[index] = second[position] ?? null
  })
  return failures
}
