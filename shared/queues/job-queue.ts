/** Sends jobs as JSON (`jobBody`). */
import { createHash } from 'node:crypto'
import {
  type BatchResultErrorEntry,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SendMessageBatchResultEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { asError } from '../contract/error-message.ts'
import { jobBody } from '../contract/jobs.ts'
import { splitIntoParts } from '../contract/parts.ts'

export type BatchEntry = SendMessageBatchRequestEntry & { Id: string; MessageBody: string }

/** The result of a batch. An entry in neither list was not accepted. */
export interface BatchResponse {
  Successful?: Partial<SendMessageBatchResultEntry>[] | undefined
  Failed?: Partial<BatchResultErrorEntry>[] | undefined
}

/** Sends batches to a queue. */
export interface BatchTransport {
  send(entries: readonly BatchEntry[]): Promise<BatchResponse>
}

export interface OutgoingJob<Job> {
  job: Job
  /** Seconds, from 0 to 900. */
  delaySeconds?: number
  /** Message group of a fair queue: many jobs of one group delay each other, not the jobs of other groups. */
  group?: string
}

export type JobSender<Job> = Pick<JobQueue<Job>, 'send'>

/** The queue responded and did not accept this job. */
export class JobRefusedError extends Error {
  override readonly name = 'JobRefusedError'
  /** True when the job itself is invalid, so that a retry cannot succeed. */
  readonly isInvalidJob: boolean

  constructor({ Code, Message, SenderFault }: Partial<BatchResultErrorEntry>) {
    super(`queue refused a job: ${Code} ${Message ?? ''}`.trim())
    this.isInvalidJob = SenderFault ?? false
  }
}

/** Limits of SendMessageBatch; ReceiveMessage and the other batch requests have the same limit of items. */
export const batchLimits = { items: 10, octets: 1_048_576 }

/**
 * Milliseconds in which the jobs of concurrent senders are collected. The records of a batch send their jobs at about
 * the same time, and SQS charges for each request.
 */
const collectMs = 5

interface Collected {
  entry: Omit<BatchEntry, 'Id'>
  settle(failure: Error | null): void
}

export class JobQueue<Job> {
  readonly #transport: BatchTransport
  readonly #collectMs: number
  #collected: Collected[] = []
  #timer: NodeJS.Timeout | null = null

  /** A queue of a Lambda function: the jobs of concurrent calls share requests. */
  constructor(sqs: SQSClient, url: string)
  /** A queue whose caller collects jobs itself: each call sends its own requests at once. */
  constructor(transport: BatchTransport)
  constructor(client: SQSClient | BatchTransport, url?: string) {
    this.#transport = url === undefined ? (client as BatchTransport) : sdkTransport(client as SQSClient, url)
    this.#collectMs = url === undefined ? 0 : collectMs
  }

  /**
   * Sends every job, in as few requests as SQS allows.
   * @throws Error when a job was not accepted; the caller must then retry its own job
   */
  async send(outgoing: readonly OutgoingJob<Job>[]): Promise<void> {
    const failures = await this.trySend(outgoing)
    const first = failures.find((failure) => failure !== null)
    if (first) throw first
  }

  /** @returns for each job null, or the reason why the queue did not accept it */
  async trySend(outgoing: readonly OutgoingJob<Job>[]): Promise<(Error | null)[]> {
    const results = outgoing.map(
      (job) =>
        new Promise<Error | null>((settle) => {
          this.#collected.push({ entry: toEntry(job), settle })
        }),
    )
    if (this.#collectMs === 0 || this.#collected.length >= batchLimits.items) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), this.#collectMs)
    return Promise.all(results)
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const collected = this.#collected.splice(0)
    const parts = splitIntoParts(batchLimits, collected, ({ entry }) => Buffer.byteLength(entry.MessageBody))
    for (const part of parts) void this.#sendPart(part)
  }

  /** Never rejects. */
  async #sendPart(part: readonly Collected[]): Promise<void> {
    const entries = part.map(({ entry }, index) => ({ ...entry, Id: String(index) }))
    const failures = new Map(await this.#sendBatch(entries))
    for (const [index, { settle }] of part.entries()) settle(failures.get(String(index)) ?? null)
  }

  async #sendBatch(entries: BatchEntry[]): Promise<[string, Error][]> {
    try {
      const response = await this.#transport.send(entries)
      const accepted = new Set(response.Successful?.map(({ Id }) => Id))
      const refused = new Map(response.Failed?.map((entry) => [entry.Id, new JobRefusedError(entry)]))
      // SQS must name each job. A job that the response does not name is treated as not accepted.
      return entries
        .filter(({ Id }) => !accepted.has(Id))
        .map(({ Id }) => [Id, refused.get(Id) ?? new Error('the queue did not confirm a job')])
    } catch (error) {
      return entries.map(({ Id }) => [Id, asError(error)])
    }
  }
}

function sdkTransport(sqs: SQSClient, url: string): BatchTransport {
  return {
    send: (entries) => sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: [...entries] })),
  }
}

function toEntry<Job>({ job, delaySeconds, group }: OutgoingJob<Job>): Omit<BatchEntry, 'Id'> {
  return {
    MessageBody: jobBody(job),
    ...(delaySeconds === undefined ? {} : { DelaySeconds: delaySeconds }),
    ...(group === undefined ? {} : { MessageGroupId: groupId(group) }),
  }
}

/** SQS accepts 128 ASCII characters; a domain may have 253. */
function groupId(group: string): string {
  return group.length <= 128 ? group : createHash('sha256').update(group).digest('hex')
}
