/** From the first octet of a message to its durability. */
import type { Readable } from 'node:stream'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { MultipartWriter } from '../../shared/content/multipart.ts'
import { SegmentWriter } from '../../shared/content/segment.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ContentReference, Recipient } from '../../shared/contract/message.ts'
import type { JobQueue } from '../../shared/queues/job-queue.ts'
import { Breaker } from './breaker.ts'
import { GroupCommit } from './group-commit.ts'
import type { Accepted, Unstored } from './jobs.ts'
import type { Log } from './log.ts'
import { receive } from './receive.ts'
import { Refusal, storageUnavailable, tooManyLargeMessages } from './replies.ts'
import { storeMessages } from './store.ts'

export interface IntakeOptions {
  s3: Pick<S3Client, 'send'>
  queue: Pick<JobQueue<EvaluationJob>, 'trySend'>
  bucket: string
  /** Octets of the largest message. */
  maximumSize: number
  log: Log
}

/** Each holds up to two parts of a multipart upload in memory. */
const largeMessagesAtOnce = 24

export class Intake {
  readonly #options: IntakeOptions
  readonly #commits: GroupCommit<Accepted>
  readonly #breaker: Breaker
  #largeMessages = 0

  constructor(options: IntakeOptions) {
    this.#options = options
    const { s3, queue, bucket } = options
    const segments = new SegmentWriter(s3, bucket)
    this.#commits = new GroupCommit<Accepted>({
      write: (batch) => this.#watch(storeMessages({ segments, queue }, batch)),
      sizeOf: ({ content }) => (Buffer.isBuffer(content) ? content.length : 0),
      maximumOctets: 8 * 1024 * 1024,
      maximumItems: 200,
      patience: 5,
      concurrency: 8,
    })
    this.#breaker = new Breaker({
      threshold: 3,
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
    const slot = { taken: 0 }
    try {
      const content = await this.#receive(stream, header, slot)
      await this.#commits.commit({ message, recipients, content }).catch((error) => {
        throw new Refusal(storageUnavailable, error)
      })
      return content.length
    } finally {
      this.#largeMessages -= slot.taken
    }
  }

  stop(): void {
    this.#breaker.stop()
  }

  async #receive(
    stream: Readable,
    header: Buffer,
    slot: { taken: number },
  ): Promise<Buffer | ContentReference> {
    const startLarge = async () => {
      if (this.#largeMessages >= largeMessagesAtOnce) throw new Refusal(tooManyLargeMessages)
      slot.taken = 1
      this.#largeMessages += slot.taken
      return MultipartWriter.start(this.#options.s3, this.#options.bucket)
    }
    try {
      return await receive(stream, header, { maximum: this.#options.maximumSize, startLarge })
    } catch (error) {
      if (error instanceof Refusal && error.cause) this.#breaker.failed()
      throw error
    }
  }

  /** A write in which nothing was stored is a failure; what happened to single messages is not the store's state. */
  async #watch(write: Promise<(Error | null)[]>): Promise<(Error | null)[]> {
    const failures = await write.catch((error: Error) => [error])
    if (failures.every((failure) => failure !== null)) this.#breaker.failed()
    else this.#breaker.succeeded()
    return write
  }

  async #probe(): Promise<void> {
    await this.#options.s3.send(
      new PutObjectCommand({ Bucket: this.#options.bucket, Key: 'probe', Body: Buffer.alloc(0) }),
    )
  }

  #tell(open: boolean): void {
    const { log } = this.#options
    if (open) log('error', 'storage fails: new connections are turned away')
    else log('info', 'storage answers: connections are taken again')
  }
}
