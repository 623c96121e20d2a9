/** Sends delivery jobs to the queue of their priority. */
import type { SQSClient } from '@aws-sdk/client-sqs'
import type { DeliveryJob, DeliveryPriority } from '../contract/jobs.ts'
import { JobQueue, type JobSender, type OutgoingJob } from './job-queue.ts'

export class DeliveryQueue implements JobSender<DeliveryJob> {
  readonly #queues: Record<DeliveryPriority, JobSender<DeliveryJob>>

  constructor(queues: Record<DeliveryPriority, JobSender<DeliveryJob>>) {
    this.#queues = queues
  }

  /** @throws Error when a job was not accepted; the caller must then retry its own job */
  async send(outgoing: readonly OutgoingJob<DeliveryJob>[]): Promise<void> {
    const byPriority = Object.groupBy(outgoing, ({ job }) => job.priority ?? 'Normal')
    await Promise.all(
      Object.entries(byPriority).map(([priority, jobs]) =>
        this.#queues[priority as DeliveryPriority].send(jobs),
      ),
    )
  }
}

export const connectDeliveryQueue = (
  sqs: SQSClient,
  urls: {
    DELIVERY_QUEUE_URL: string
    UNPROVEN_DELIVERY_QUEUE_URL: string
    LOW_PRIORITY_DELIVERY_QUEUE_URL: string
  },
): DeliveryQueue =>
  new DeliveryQueue({
    Normal: new JobQueue<DeliveryJob>(sqs, urls.DELIVERY_QUEUE_URL),
    Unproven: new JobQueue<DeliveryJob>(sqs, urls.UNPROVEN_DELIVERY_QUEUE_URL),
    Low: new JobQueue<DeliveryJob>(sqs, urls.LOW_PRIORITY_DELIVERY_QUEUE_URL),
  })
