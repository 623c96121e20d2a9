/**
 * A standard queue of SQS: at least once, with delays, visibility timeouts, and the quota of messages in flight. A
 * message is in flight from its receipt until it is deleted or visible again, so a failed job that waits is in flight.
 * At the quota a long poll gets no message
 * (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html). A delayed message that was
 * never received is not in flight.
 */
import type { Clock } from './clock.ts'

export interface QueuedJob {
  body: string
  /** Id of the mail message. */
  message: string
  receives: number
  sentAt: number
  /** Null while the job can be received, and when it is deleted. */
  visibleAt: number | null
  isInFlight: boolean
}

/** A received job. `receives`: the number of times that it was received, with this one. */
export interface Receipt {
  job: QueuedJob
  receives: number
}

export interface QueueOptions {
  visibilityMs: number
  inFlightQuota: number
  /** A job can be received. */
  onVisible(): void
  onDeadLetter(job: QueuedJob): void
}

/** infra/queues/mail-queue.ts */
const maxReceives = 1000
const retentionMs = 14 * 24 * 3_600_000

export class SimulatedQueue {
  maxInFlight = 0
  /** Milliseconds for which jobs were visible and the quota of messages in flight was used up. */
  stalledMs = 0
  readonly #clock: Clock
  readonly #options: QueueOptions
  #visible: QueuedJob[] = []
  #first = 0
  #inFlight = 0
  #stalledSince: number | null = null

  constructor(clock: Clock, options: QueueOptions) {
    this.#clock = clock
    this.#options = options
  }

  get hasVisible(): boolean {
    return this.#first < this.#visible.length
  }

  send(job: Pick<QueuedJob, 'body' | 'message'>, delaySeconds: number): void {
    const entry = { ...job, receives: 0, sentAt: this.#clock.now, visibleAt: null, isInFlight: false }
    if (delaySeconds === 0) this.#makeVisible(entry)
    else this.#hide(entry, delaySeconds * 1000)
  }

  /** Returns at most `count` jobs, none at the quota. */
  receive(count: number): Receipt[] {
    const received: Receipt[] = []
    while (received.length < count && this.hasVisible && this.#inFlight < this.#options.inFlightQuota) {
      const job = this.#take()
      if (job.receives === maxReceives || this.#clock.now - job.sentAt > retentionMs)
        this.#options.onDeadLetter(job)
      else received.push(this.#begin(job))
    }
    this.#noteStall()
    return received
  }

  /** Hides a received job for so long, unless it has become visible in the meantime. */
  delay({ job, receives }: Receipt, milliseconds: number): void {
    if (job.isInFlight && job.receives === receives) this.#hide(job, milliseconds)
  }

  /** Deletes a received job, unless it has become visible in the meantime. @returns whether it was deleted */
  delete({ job, receives }: Receipt): boolean {
    if (!job.isInFlight || job.receives !== receives) return false
    job.visibleAt = null
    this.#endFlight(job)
    return true
  }

  #begin(job: QueuedJob): Receipt {
    job.receives++
    job.isInFlight = true
    this.maxInFlight = Math.max(this.maxInFlight, ++this.#inFlight)
    this.#hide(job, this.#options.visibilityMs)
    return { job, receives: job.receives }
  }

  #hide(job: QueuedJob, milliseconds: number): void {
    const visibleAt = this.#clock.now + milliseconds
    job.visibleAt = visibleAt
    this.#clock.at(visibleAt, () => {
      if (job.visibleAt !== visibleAt) return
      if (job.isInFlight) this.#endFlight(job)
      this.#makeVisible(job)
    })
  }

  #makeVisible(job: QueuedJob): void {
    job.visibleAt = null
    this.#visible.push(job)
    this.#options.onVisible()
  }

  #endFlight(job: QueuedJob): void {
    job.isInFlight = false
    this.#inFlight--
    this.#noteStall()
  }

  #noteStall(): void {
    const isStalled = this.hasVisible && this.#inFlight >= this.#options.inFlightQuota
    if (isStalled) this.#stalledSince ??= this.#clock.now
    else if (this.#stalledSince !== null) {
      this.stalledMs += this.#clock.now - this.#stalledSince
      this.#stalledSince = null
    }
  }

  #take(): QueuedJob {
    const job = this.#visible[this.#first++] as QueuedJob
    if (this.#first > 10_000 && this.#first * 2 > this.#visible.length) {
      this.#visible = this.#visible.slice(this.#first)
      this.#first = 0
    }
    return job
  }
}
