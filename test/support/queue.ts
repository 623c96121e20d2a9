/** A queue that records what was sent. */
import type { Outgoing, Sender } from '../../shared/queues/job-queue.ts'

export interface RecordingQueue<Job> extends Sender<Job> {
  /** Everything sent and not yet taken, in order. */
  sent: Outgoing<Job>[]
  /** Returns what was sent since the last call. */
  take(): Outgoing<Job>[]
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
