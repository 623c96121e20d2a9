/** From the first octet of a message to its durability. */
import type { Readable } from 'node:stream'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { MultipartWriter } from '../../shared/content/multipart.ts'
import { SegmentWriter } from '../../shared/content/segment.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ContentReference, Recipient } from '../../shared/contract/message.ts'
import { type JobQueue, JobRefusedError } from '../../shared/queues/job-queue.ts'
import { Breaker } from './breaker.ts'
import { GroupCommit } from './group-commit.ts'
import type { Accepted, Unstored } from './jobs.ts'
import type { Log } from './log.ts'
import { Holding, largeMessageOctets, type MessageMemory } from './memory.ts'
import { Pacemaker } from './pace.ts'
import { largestInMemory, receive, smallestHeld } from './receive.ts'
import { Refusal, storageUnavailable, tooManyLargeMessages } from './replies.ts'
import { type Stores, storeMessages } from './store.ts'

export interface IntakeOptions {
  s3: Pick<S3Client, 'send'>
  queue: Pick<JobQueue<EvaluationJob>, 'trySend'>
  /** Resolves when the queue answers. */
  probeQueue(): Promise<unknown>
  bucket: string
  /** Octets of the largest message. */
  maximumSize: number
  memory: MessageMemory
  log: Log
}

/** Messages in a row that could not be stored; one for which storage did not answer at all says as much. */
const outage = 3

export class Intake {
  readonly #options: IntakeOptions
  readonly #commits: GroupCommit<Accepted>
  readonly #breaker: Breaker
  readonly #pacemaker = new Pacemaker()

  constructor(options: IntakeOptions) {
    this.#options = options
    const { s3, queue, bucket } = options
    const segments = new SegmentWriter(s3, bucket)
    this.#commits = new GroupCommit<Accepted>({
      write: (batch) => this.#write(batch, { segments, queue }),
      sizeOf: ({ content }) => (Buffer.isBuffer(content) ? content.length : 0),
      maximumOctets: 4 * 1024 * 1024,
      maximumItems: 200,
      patience: 5,
      concurrency: 8,
    })
    this.#breaker = new Breaker({
      threshold: outage,
      probe: () => this.#probe(),
      pause: 1000,
      slowest: 30_000,
      onChange: (open) => this.#tell(open),
    })
  }

  /** Whether messages should be turned away before they are sent. */
  get isFailing(): boolean {
    return this.#breaker.isOpen
  }

  /** Whether a message of so many octets, 0 if unknown, would find memory now. */
  hasRoomFor(octets: number): boolean {
    const { small, large } = this.#options.memory
    return octets > largestInMemory
      ? large.left >= largeMessageOctets
      : small.left >= Math.max(octets, smallestHeld)
  }

  /**
   * Reads a message and makes it durable.
   * @returns octets stored
   * @throws Refusal; the stream's own error when the client left
   */
  async take(
    stream: Readable,
    header: Buffer,
    message: Unstored,
    recipients: readonly Recipient[],
  ): Promise<number> {
    const holding = new Holding(this.#options.memory.small)
    const content = await this.#receive(stream, header, holding)
    try {
      await this.#commits.commit({ message, recipients, content })
      return content.length
    } catch (error) {
      throw new Refusal(storageUnavailable, error)
    } finally {
      holding.release()
    }
  }

  stop(): void {
    this.#breaker.stop()
    this.#pacemaker.stop()
  }

  async #receive(stream: Readable, header: Buffer, holding: Holding): Promise<Buffer | ContentReference> {
    const { s3, bucket, memory, maximumSize: maximum } = this.#options
    const startLarge = async () => {
      if (!holding.hold(largeMessageOctets, memory.large)) throw new Refusal(tooManyLargeMessages)
      return MultipartWriter.start(s3, bucket)
    }
    const pace = this.#pacemaker.watch(stream)
    stream.once('end', () => this.#pacemaker.unwatch(stream))
    try {
      return await receive(stream, header, { maximum, holding, pace, startLarge })
    } catch (error) {
      if (error instanceof Refusal && error.cause) this.#breaker.failed()
      throw error
    } finally {
      this.#pacemaker.unwatch(stream)
    }
  }

  /** What waited while storage was found to fail is not made to wait for the same once more. */
  async #write(batch: readonly Accepted[], stores: Stores): Promise<(Error | null)[]> {
    if (this.isFailing) throw new Error('storage fails')
    const failures = await storeMessages(stores, batch).catch((error: Error) => batch.map(() => error))
    if (failures.some(isAnswer)) this.#breaker.succeeded()
    else this.#breaker.failed(failures.some(isTimeout) ? outage : failures.length)
    return failures
  }

  async #probe(): Promise<void> {
    const { s3, bucket, probeQueue } = this.#options
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'probe', Body: Buffer.alloc(0) }))
    await probeQueue()
  }

  #tell(open: boolean): void {
    const { log } = this.#options
    if (open) log('error', 'storage fails: new connections are turned away')
    else log('info', 'storage answers: connections are taken again')
  }
}

/** The store took the message, or found fault with this one alone: either way it works. */
const isAnswer = (failure: Error | null): boolean =>
  failure === null || (failure instanceof JobRefusedError && failure.isSendersFault)

/** Every try was given up. */
const isTimeout = (failure: Error | null): boolean => failure?.name === 'TimeoutError'
