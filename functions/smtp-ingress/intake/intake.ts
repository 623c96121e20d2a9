/** Receives messages and makes them durable. The session policy replies to the client, and counts and logs messages. */
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { partOctets, storeLargeContent } from '../../../shared/content/large-content.ts'
import { type ObjectStore, SegmentWriter } from '../../../shared/content/segment-writer.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { ContentReference, Message, Recipient } from '../../../shared/contract/message.ts'
import { countPasses } from '../../../shared/mail/count-passes.ts'
import { type JobQueue, JobRefusedError } from '../../../shared/queues/job-queue.ts'
import { CircuitBreaker, isTimeout } from '../circuit-breaker.ts'
import type { Log } from '../log.ts'
import { internalError, routingLoop, storageUnavailable, tooManyLargeMessages } from '../replies.ts'
import { BufferPool } from './buffer-pool.ts'
import { commitWaitMs, sufficientItems } from './commit-wait.ts'
import type { AcceptedMessage, MessageWithoutContent } from './evaluation-jobs.ts'
import { GroupCommit } from './group-commit.ts'
import { IncomingMessage, type MessageLimits, type Outcome } from './incoming-message.ts'
import type { MessageMemory } from './message-memory.ts'
import type { ReceivedContent } from './received-content.ts'
import { type MessageSpool, SpoolError } from './spool.ts'
import { type RefusalWithCause, type SpooledContent, spoolRefusal } from './spooled-content.ts'
import { type Stores, storeMessages } from './store-messages.ts'
import { UploadQueue, UploadQueueTimeout } from './upload-queue.ts'

export interface IntakeOptions {
  s3: Pick<S3Client, 'send'>
  /** Stores segments. */
  objects: ObjectStore
  queue: Pick<JobQueue<EvaluationJob>, 'trySend'>
  /** Resolves when the queue responds. */
  probeQueue(): Promise<unknown>
  bucket: string
  /** The name in this gateway's own `Received` fields. */
  hostname: string
  maxMessageOctets: number
  maxHeaderOctets: number
  memory: MessageMemory
  spool: MessageSpool
  log: Log
}

/**
 * Consecutive messages that could not be stored, after which the breaker opens. One timeout counts as this many
 * messages.
 */
const outageThreshold = 3

/**
 * Milliseconds in the upload queue. Together with the slowest upload this is less than the ten minutes for which a
 * client waits for the reply.
 */
const uploadQueueTimeoutMs = 4 * 60_000

/** Octets of unused buffers: enough for a thousand small messages. */
const maxUnusedBufferOctets = 8 * 1024 * 1024

/**
 * A message may pass the gateway three times: in, out again because its recipient forwards it, and in again from there.
 * At its next arrival it is in a loop.
 */
export const maxPasses = 3

/** The facts that only the content of a message shows. */
export type MessageFacts = Partial<Pick<Message, 'direction' | 'attributedTo' | 'exchangeOnline'>>

/** Decides about a message that has arrived: the refusal, or the facts to store with it. */
export type MessageDecision = (content: ReceivedContent) => Promise<RefusalWithCause | MessageFacts>

export class Intake {
  readonly #options: IntakeOptions
  readonly #limits: MessageLimits
  readonly #groupCommit: GroupCommit<AcceptedMessage>
  readonly #breaker: CircuitBreaker
  readonly #uploadQueue: UploadQueue
  readonly #buffers = new BufferPool(maxUnusedBufferOctets)

  constructor(options: IntakeOptions) {
    this.#options = options
    const { objects, queue, bucket, memory } = options
    this.#limits = {
      maxOctets: options.maxMessageOctets,
      maxHeaderOctets: options.maxHeaderOctets,
      maxMemoryOctets: memory.memoryOctets,
    }
    this.#uploadQueue = new UploadQueue({
      slots: memory.maxUploads,
      bufferOctets: partOctets,
      timeoutMs: uploadQueueTimeoutMs,
    })
    const segments = new SegmentWriter(objects, bucket)
    this.#groupCommit = new GroupCommit<AcceptedMessage>({
      write: (batch) => this.#write(batch, { segments, queue }),
      sizeOf: ({ content }) => (Buffer.isBuffer(content) ? content.length : 0),
      maxBatchOctets: 4 * 1024 * 1024,
      maxBatchItems: 200,
      waitMs: commitWaitMs,
      maxConcurrentWrites: 16,
      groupSize: sufficientItems,
    })
    this.#breaker = new CircuitBreaker({
      failureThreshold: outageThreshold,
      probe: () => this.#probe(),
      initialDelayMs: 1000,
      maxDelayMs: 30_000,
      onChange: (open) => this.#logOutageChange(open),
    })
  }

  /** Whether storage fails, so that clients are refused at the greeting or at MAIL. */
  get isFailing(): boolean {
    return this.#breaker.isOpen
  }

  /** Whether a message of this size would fit now. @param octets 0 if unknown */
  hasRoomFor(octets: number): boolean {
    return octets <= this.#limits.maxMemoryOctets || octets <= this.#options.spool.freeOctets
  }

  /**
   * @param header the fields that this hop prepends
   * @param decide called with the whole message before it is stored
   */
  begin(
    header: Buffer,
    message: MessageWithoutContent,
    recipients: readonly Recipient[],
    decide: MessageDecision | null = null,
  ): IncomingMessage {
    let facts: MessageFacts = {}
    return new IncomingMessage(header, this.#limits, {
      buffers: this.#buffers,
      spool: this.#options.spool,
      inspect: (content) => {
        if (decide === null && content.hops < maxPasses) return null
        return this.#inspect(content, async () => {
          const decision = (await decide?.(content)) ?? {}
          if ('reply' in decision) return decision
          facts = decision
          return null
        })
      },
      store: (content, headerMessageId) => {
        const headerFields = headerMessageId === undefined ? {} : { headerMessageId }
        return this.#store(content, { ...message, ...facts, ...headerFields }, recipients)
      },
    })
  }

  stop(): void {
    this.#breaker.stop()
  }

  /** Never rejects. */
  async #inspect(
    content: ReceivedContent,
    decide: () => Promise<RefusalWithCause | null>,
  ): Promise<RefusalWithCause | null> {
    const { hostname } = this.#options
    try {
      if (content.hops >= maxPasses && countPasses(await content.readHeader(), hostname) >= maxPasses)
        return routingLoop
      return await decide()
    } catch (error) {
      return error instanceof SpoolError ? spoolRefusal(error) : { ...internalError, cause: error }
    }
  }

  async #store(
    content: Buffer | SpooledContent,
    message: MessageWithoutContent,
    recipients: readonly Recipient[],
  ): Promise<Outcome> {
    try {
      const contentOrReference = Buffer.isBuffer(content) ? content : await this.#upload(content)
      await this.#groupCommit.commit({ message, recipients, content: contentOrReference })
      return { size: contentOrReference.length }
    } catch (error) {
      return refusalFor(error)
    }
  }

  async #upload(spooled: SpooledContent): Promise<ContentReference> {
    const { s3, objects, bucket } = this.#options
    const { signal } = spooled
    const content = spooled.finish()
    return this.#uploadQueue.runInSlot(async (buffer) => {
      if (this.isFailing) throw new Error('storage fails')
      try {
        return await storeLargeContent(content, { s3, objects, bucket, buffer, signal })
      } catch (error) {
        if (!(error instanceof SpoolError || signal.aborted))
          this.#breaker.recordFailures(isTimeout(error) ? outageThreshold : 1)
        throw error
      }
    }, signal)
  }

  /**
   * Messages that were queued when the breaker opened fail immediately, because another attempt would only wait again.
   */
  async #write(batch: readonly AcceptedMessage[], stores: Stores): Promise<(Error | null)[]> {
    if (this.isFailing) throw new Error('storage fails')
    const failures = await storeMessages(stores, batch).catch((error: Error) => batch.map(() => error))
    if (failures.some(isStorageWorking)) this.#breaker.recordSuccess()
    else this.#breaker.recordFailures(failures.some(isTimeout) ? outageThreshold : failures.length)
    return failures
  }

  async #probe(): Promise<void> {
    const { s3, bucket, probeQueue } = this.#options
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'probe', Body: Buffer.alloc(0) }))
    await probeQueue()
  }

  #logOutageChange(open: boolean): void {
    const { log } = this.#options
    if (open) log('error', 'storage fails: new connections are refused')
    else log('info', 'storage works: new connections are accepted again')
  }
}

/** Storage accepted the message, or rejected this message only: either shows that storage works. */
const isStorageWorking = (failure: Error | null): boolean =>
  failure === null || (failure instanceof JobRefusedError && failure.isInvalidJob)

function refusalFor(error: unknown): RefusalWithCause {
  if (error instanceof UploadQueueTimeout) return tooManyLargeMessages
  if (error instanceof SpoolError) return spoolRefusal(error)
  return { ...storageUnavailable, cause: error }
}
