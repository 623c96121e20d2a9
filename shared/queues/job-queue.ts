/**
 * Sending jobs. Bodies are JSON; JSON.stringify escapes control characters and lone surrogates, but SQS also
 * refuses U+FFFE and U+FFFF, which XML 1.0 excludes, so those are escaped as well.
 */
import { createHash } from 'node:crypto'
import {
  type BatchResultErrorEntry,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SendMessageBatchResultEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { asError } from '../contract/error-message.ts'
import { partsWithin } from '../contract/parts.ts'

export type BatchEntry = SendMessageBatchRequestEntry & { Id: string; MessageBody: string }

/** What is said of each entry; one that is in neither list has not been taken. */
export interface BatchAnswer {
  Successful?: Partial<SendMessageBatchResultEntry>[] | undefined
  Failed?: Partial<BatchResultErrorEntry>[] | undefined
}

/** How batches get to a queue. */
export interface BatchTransport {
  send(entries: readonly BatchEntry[]): Promise<BatchAnswer>
}

export interface Outgoing<Job> {
  job: Job
  /** 0–900. */
  delaySeconds?: number
  /** Fair queues: messages of one group wait for each other, not for other groups. */
  group?: string
}

/** What a unit that only sends needs of a queue. */
export type Sender<Job> = Pick<JobQueue<Job>, 'send'>

/** The queue answered, and did not take this job. */
export class JobRefusedError extends Error {
  override readonly name = 'JobRefusedError'
  /** The job itself is at fault: the queue would not take it another time either. */
  readonly isSendersFault: boolean

  constructor({ Code, Message, SenderFault }: Partial<BatchResultErrorEntry>) {
    super(`queue refused a job: ${Code} ${Message ?? ''}`.trim())
    this.isSendersFault = SenderFault ?? false
  }
}

/** What SQS takes in one request. */
const batchLimits = { items: 10, octets: 1_048_576 }

export class JobQueue<Job> {
  readonly #transport: BatchTransport

  constructor(sqs: SQSClient, url: string)
  constructor(transport: BatchTransport)
  constructor(by: SQSClient | BatchTransport, url?: string) {
    this.#transport = url === undefined ? (by as BatchTransport) : bySdk(by as SQSClient, url)
  }

  /**
   * Sends every job, in as few requests as SQS allows.
   * @throws Error when any of them was not taken; the caller's own job must then be tried again
   */
  async send(outgoing: readonly Outgoing<Job>[]): Promise<void> {
    const failures = await this.trySend(outgoing)
    const first = failures.find((failure) => failure !== null)
    if (first) throw first
  }

  /** @returns for each job null when the queue has it, or why it has not */
  async trySend(outgoing: readonly Outgoing<Job>[]): Promise<(Error | null)[]> {
    const entries = outgoing.map(toEntry)
    const parts = partsWithin(batchLimits, entries, ({ MessageBody }) => Buffer.byteLength(MessageBody))
    const batches = await Promise.all(parts.map((batch) => this.#sendBatch(batch)))
    const failures = new Map(batches.flat())
    return entries.map(({ Id }) => failures.get(Id) ?? null)
  }

  async #sendBatch(entries: BatchEntry[]): Promise<[string, Error][]> {
    try {
      const answer = await this.#transport.send(entries)
      const taken = new Set(answer.Successful?.map(({ Id }) => Id))
      const refused = new Map(answer.Failed?.map((entry) => [entry.Id, new JobRefusedError(entry)]))
      // A job that the answer does not name has not been taken: what is said of it is that nothing is known.
      return entries
        .filter(({ Id }) => !taken.has(Id))
        .map(({ Id }) => [Id, refused.get(Id) ?? new Error('the queue did not say that it took a job')])
    } catch (error) {
      return entries.map(({ Id }) => [Id, asError(error)])
    }
  }
}

function bySdk(sqs: SQSClient, url: string): BatchTransport {
  return {
    send: (entries) => sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: [...entries] })),
  }
}

function toEntry<Job>({ job, delaySeconds, group }: Outgoing<Job>, index: number): BatchEntry {
  return {
    Id: String(index),
    MessageBody: JSON.stringify(job).replace(
      /[\ufffe\uffff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16)}`,
    ),
    ...(delaySeconds === undefined ? {} : { DelaySeconds: delaySeconds }),
    ...(group === undefined ? {} : { MessageGroupId: groupId(group) }),
  }
}

/** SQS takes 128 characters of ASCII; a domain may have 253. */
function groupId(group: string): string {
  return group.length <= 128 ? group : createHash('sha256').update(group).digest('hex')
}
