/** A queue that records the jobs sent. */
import type { MailEvent } from '../../shared/contract/events.ts'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { JobSender, OutgoingJob } from '../../shared/queues/job-queue.ts'

export interface RecordingQueue<Job> extends JobSender<Job> {
  /** The jobs that were sent and not yet taken, in order. */
  sent: OutgoingJob<Job>[]
  /** Returns the jobs sent since the last call of `take`, and removes them from `sent`. */
  take(): OutgoingJob<Job>[]
  /** Makes the next send fail. */
  failOnce(): void
}

export function recordingQueue<Job>(): RecordingQueue<Job> {
  let fails = false
  const queue: RecordingQueue<Job> = {
    sent: [],
    take: () => queue.sent.splice(0),
    failOnce() {
      fails = true
    },
    async send(outgoing) {
      if (fails) {
        fails = false
        throw new Error('the queue is away')
      }
      queue.sent.push(...outgoing)
    },
  }
  return queue
}

export interface RecordingEvents {
  send(events: readonly MailEvent[]): Promise<void>
  /** Returns the events sent since the last call of `take`. */
  take(): MailEvent[]
  /** Makes the next send fail. */
  failOnce(): void
}

/** A queue of events that records them. */
export function recordingEvents(): RecordingEvents {
  const sent: MailEvent[] = []
  let fails = false
  return {
    take: () => sent.splice(0),
    failOnce() {
      fails = true
    },
    async send(events) {
      if (fails) {
        fails = false
        throw new Error('the events queue is away')
      }
      sent.push(...events)
    },
  }
}

/** Gives every delivery job the normal priority. */
export const normalPriority = { assign: async (jobs: readonly DeliveryJob[]) => [...jobs] }
