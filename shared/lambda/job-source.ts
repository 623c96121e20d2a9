/**
 * The queues that invoke a function, for its failed jobs. A job that fails waits longer each time, so that it outlasts
 * an outage of AWS with few receives. A job that no version can read goes to the dead letters at once, with the reason:
 * otherwise it would be received a thousand times first, and SQS adds no reason.
 */
import { ChangeMessageVisibilityBatchCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'
import { errorMessage } from '../contract/error-message.ts'
import { splitIntoParts } from '../contract/parts.ts'
import { retryDelaySeconds } from './retry-delay.ts'

export interface QueueUrls {
  queue: string
  deadLetters: string
}

/** Attribute of a dead letter: why it cannot be read. */
export const reasonAttribute = 'reason'

/** SQS permits 1 MiB for the body and the attributes. */
export const maxReasonLength = 1000

/** Maximum number of records of one request. */
const maxBatchItems = 10

/**
 * The timeout of a request with its retries. While SQS hangs, the function must still end in time, or its successful
 * records would be repeated. A record whose delay is not set returns after the queue's visibility timeout.
 */
const requestTimeoutMs = 3_000

export class JobSource {
  readonly #sqs: Pick<SQSClient, 'send'>
  readonly #queues: ReadonlyMap<string, QueueUrls>
  readonly #random: () => number

  constructor(
    sqs: Pick<SQSClient, 'send'>,
    queues: readonly QueueUrls[],
    random: () => number = Math.random,
  ) {
    this.#sqs = sqs
    this.#queues = new Map(queues.map((urls) => [lastPart(urls.queue, '/'), urls]))
    this.#random = random
  }

  /**
   * Hides failed records until their next try. Never rejects.
   * @returns the reasons why the delay of a record could not be set
   */
  async delay(records: readonly SQSRecord[]): Promise<string[]> {
    const byQueue = Map.groupBy(records, ({ eventSourceARN }) => eventSourceARN)
    const failures = await Promise.all(
      [...byQueue.values()]
        .flatMap((ofQueue) => splitIntoParts({ items: maxBatchItems, octets: Infinity }, ofQueue, () => 0))
        .map((part) => this.#delayPart(part).catch((error: unknown) => [errorMessage(error)])),
    )
    return failures.flat()
  }

  /** @throws Error when the dead-letter queue does not accept the record; it must then stay on its queue */
  async sendToDeadLetters(record: SQSRecord, reason: string): Promise<void> {
    await this.#sqs.send(
      new SendMessageCommand({
        QueueUrl: this.#urlsOf(record).deadLetters,
        MessageBody: record.body,
        MessageAttributes: {
          [reasonAttribute]: { DataType: 'String', StringValue: reason.slice(0, maxReasonLength) },
        },
      }),
      { abortSignal: AbortSignal.timeout(requestTimeoutMs) },
    )
  }

  async #delayPart(records: readonly [SQSRecord, ...SQSRecord[]]): Promise<string[]> {
    const command = new ChangeMessageVisibilityBatchCommand({
      QueueUrl: this.#urlsOf(records[0]).queue,
      Entries: records.map((record, index) => ({
        Id: String(index),
        ReceiptHandle: record.receiptHandle,
        VisibilityTimeout: retryDelaySeconds(receivesOf(record), this.#random()),
      })),
    })
    const { Failed = [] } = await this.#sqs.send(command, {
      abortSignal: AbortSignal.timeout(requestTimeoutMs),
    })
    return Failed.map(({ Code, Message = '' }) => `${Code} ${Message}`.trim())
  }

  #urlsOf({ eventSourceARN }: SQSRecord): QueueUrls {
    const urls = this.#queues.get(lastPart(eventSourceARN, ':'))
    if (urls === undefined) throw new Error(`the function has no URL of the queue ${eventSourceARN}`)
    return urls
  }
}

/** The number of times that the record was received, with this receive. */
export const receivesOf = ({ attributes }: SQSRecord): number => Number(attributes.ApproximateReceiveCount)

/** The name of a queue ends its URL and its ARN. */
const lastPart = (text: string, separator: string): string => text.slice(text.lastIndexOf(separator) + 1)
