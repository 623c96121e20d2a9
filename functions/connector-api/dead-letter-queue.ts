/** The requests to SQS for the dead letters of one queue. */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
  type Message as SqsMessage,
} from '@aws-sdk/client-sqs'
import { asError } from '../../shared/contract/error-message.ts'
import { splitIntoParts } from '../../shared/contract/parts.ts'
import { type QueueUrls, reasonAttribute } from '../../shared/lambda/job-source.ts'
import { type BatchResponse, batchLimits } from '../../shared/queues/job-queue.ts'
import { type DeadLetter, describeDeadLetter, type QueueName } from './dead-letter.ts'

/** Longer than a request runs, so that no request receives a letter twice. */
const visibilityTimeoutSeconds = 20
/** Long polling queries all servers of SQS. Short polling queries only some, and may miss the last letters. */
const waitSeconds = 1
/** The timeout of a request with its retries. */
const requestTimeoutMs = 3_000

/** A dead letter that other requests do not receive until it is released, or its visibility timeout ends. */
export interface HeldLetter {
  message: SqsMessage
  letter: DeadLetter
}

type Entry = SqsMessage & { Id: string }

export class DeadLetterQueue {
  readonly #sqs: Pick<SQSClient, 'send'>
  readonly #name: QueueName
  readonly #urls: QueueUrls
  readonly #onError: (error: Error) => void

  /** @param onError called with the reason why a letter was not sent, deleted or released */
  constructor(
    sqs: Pick<SQSClient, 'send'>,
    name: QueueName,
    urls: QueueUrls,
    onError: (error: Error) => void,
  ) {
    this.#sqs = sqs
    this.#name = name
    this.#urls = urls
    this.#onError = onError
  }

  /**
   * Returns at most ten letters; none when no letter is visible.
   * @throws Error of SQS
   */
  async receive(): Promise<HeldLetter[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.#urls.deadLetters,
      MaxNumberOfMessages: batchLimits.items,
      VisibilityTimeout: visibilityTimeoutSeconds,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount', 'MessageGroupId'],
      MessageAttributeNames: [reasonAttribute],
    })
    const { Messages = [] } = await this.#sqs.send(command, withTimeout())
    return Messages.map((message) => ({ message, letter: describeDeadLetter(this.#name, message) }))
  }

  /**
   * Sends the jobs to their queue: the bodies unchanged, with their message groups, without the reasons.
   * @returns the letters whose job the queue accepted
   */
  sendToQueue(letters: readonly HeldLetter[]): Promise<HeldLetter[]> {
    return this.#inBatches(letters, (entries) =>
      this.#sqs.send(
        new SendMessageBatchCommand({
          QueueUrl: this.#urls.queue,
          Entries: entries.map(({ Id, Body, Attributes }) => ({
            Id,
            MessageBody: Body,
            ...(Attributes?.MessageGroupId && { MessageGroupId: Attributes.MessageGroupId }),
          })),
        }),
        withTimeout(),
      ),
    )
  }

  /** @returns the deleted letters */
  delete(letters: readonly HeldLetter[]): Promise<HeldLetter[]> {
    return this.#inBatches(letters, (entries) =>
      this.#sqs.send(
        new DeleteMessageBatchCommand({
          QueueUrl: this.#urls.deadLetters,
          Entries: entries.map(({ Id, ReceiptHandle }) => ({ Id, ReceiptHandle })),
        }),
        withTimeout(),
      ),
    )
  }

  /** Makes letters visible to other requests. */
  async release(letters: readonly HeldLetter[]): Promise<void> {
    await this.#inBatches(letters, (entries) =>
      this.#sqs.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: this.#urls.deadLetters,
          Entries: entries.map(({ Id, ReceiptHandle }) => ({ Id, ReceiptHandle, VisibilityTimeout: 0 })),
        }),
        withTimeout(),
      ),
    )
  }

  /** @returns the letters that the responses name as successful */
  async #inBatches(
    letters: readonly HeldLetter[],
    request: (entries: readonly Entry[]) => Promise<BatchResponse>,
  ): Promise<HeldLetter[]> {
    const parts = splitIntoParts(batchLimits, letters, ({ message: { Body = '' } }) =>
      Buffer.byteLength(Body),
    )
    const successful = await Promise.all(
      parts.map(async (part) => {
        try {
          const response = await request(
            part.map(({ message }, index) => ({ ...message, Id: String(index) })),
          )
          const ids = new Set(response.Successful?.map(({ Id }) => Id))
          for (const { Code, Message = '' } of response.Failed ?? [])
            this.#onError(new Error(`${this.#name}: ${Code} ${Message}`.trim()))
          return part.filter((_, index) => ids.has(String(index)))
        } catch (error) {
          this.#onError(asError(error))
          return []
        }
      }),
    )
    return successful.flat()
  }
}

const withTimeout = () => ({ abortSignal: AbortSignal.timeout(requestTimeoutMs) })
