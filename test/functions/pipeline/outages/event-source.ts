/**
 * The event source of a queue: it receives batches, invokes the function, deletes the jobs that succeeded and delays
 * those that failed, as shared/lambda/sqs-handler.ts does. An invocation that exceeds the function's timeout dies.
 */
import { retryDelaySeconds } from '../../../../shared/lambda/retry-delay.ts'
import type { Random } from '../random.ts'
import { type Aws, functionClient, visibilityClient } from './aws.ts'
import type { Clock } from './clock.ts'
import type { QueuedJob, Receipt, SimulatedQueue } from './simulated-queue.ts'

export interface Invocation {
  /** Number of the instance of the function; two invocations at the same time have different numbers. */
  worker: number
  /** False after the function's timeout. */
  isAlive: boolean
}

export interface EventSourceOptions {
  clock: Clock
  aws: Aws
  random: Random
  queue: SimulatedQueue
  concurrency: number
  batchSize: number
  timeoutMs: number
  /** Rejects when the whole batch must be retried. */
  beforeBatch(invocation: Invocation): Promise<void>
  /** Rejects when the job must be retried. */
  process(job: QueuedJob, invocation: Invocation, receives: number): Promise<unknown>
  onDeleted(message: string): void
}

/** A poll without an answer, or a poll that was refused, is repeated after this time. */
const receiveAgainMs = 20_000
const receiveMs = 10

export class EventSource {
  readonly #options: EventSourceOptions
  /** The workers that run no invocation. */
  readonly #idle: number[]
  #receiveIsPlanned = false

  constructor(options: EventSourceOptions) {
    this.#options = options
    this.#idle = Array.from({ length: options.concurrency }, (_, index) => index)
  }

  /** A job can be received. Jobs that arrive together are received together. */
  wake(): void {
    if (!this.#receiveIsPlanned) this.#receiveIn(receiveMs)
  }

  #receive(): void {
    const { aws, queue, batchSize } = this.#options
    while (this.#idle.length > 0 && queue.hasVisible) {
      const outage = aws.outage('queues')
      // A late response has no receiver: its jobs stay hidden for the visibility timeout.
      const receipts = outage === null || outage === 'answers late' ? queue.receive(batchSize) : []
      if (outage !== null) this.#receiveIn(receiveAgainMs)
      if (outage !== null || receipts.length === 0) return
      const worker = this.#idle.shift() as number
      void this.#invoke(receipts, worker).then(() => {
        this.#idle.push(worker)
        this.wake()
      })
    }
  }

  #receiveIn(milliseconds: number): void {
    this.#receiveIsPlanned = true
    const { clock } = this.#options
    clock.at(clock.now + milliseconds, () => {
      this.#receiveIsPlanned = false
      this.#receive()
    })
  }

  async #invoke(receipts: readonly Receipt[], worker: number): Promise<void> {
    const { clock, timeoutMs } = this.#options
    const invocation = { worker, isAlive: true }
    const death = clock.sleep(timeoutMs).then(() => {
      invocation.isAlive = false
      return null
    })
    const done = await Promise.race([this.#processBatch(receipts, invocation), death])
    if (done !== null) await this.#delete(done)
  }

  /** @returns the jobs that succeeded */
  async #processBatch(receipts: readonly Receipt[], invocation: Invocation): Promise<Receipt[]> {
    const { beforeBatch, process } = this.#options
    const isPrepared = await succeeds(beforeBatch(invocation))
    const results = await Promise.all(
      receipts.map(
        async (receipt) => isPrepared && succeeds(process(receipt.job, invocation, receipt.receives)),
      ),
    )
    await this.#delayFailed(receipts.filter((_, index) => !results[index]))
    return receipts.filter((_, index) => results[index])
  }

  async #delayFailed(failed: readonly Receipt[]): Promise<void> {
    if (failed.length === 0) return
    const { aws, queue, random } = this.#options
    const delay = () => {
      for (const receipt of failed)
        queue.delay(receipt, retryDelaySeconds(receipt.receives, random.integerBelow(1000) / 1000) * 1000)
    }
    await succeeds(aws.request('queues', visibilityClient, delay))
  }

  /** Lambda deletes them. If it cannot, they return after the visibility timeout. */
  async #delete(receipts: readonly Receipt[]): Promise<void> {
    const { aws, queue, onDeleted } = this.#options
    const deleteAll = () => {
      for (const receipt of receipts) if (queue.delete(receipt)) onDeleted(receipt.job.message)
    }
    if (receipts.length > 0) await succeeds(aws.request('queues', functionClient, deleteAll))
  }
}

const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )
