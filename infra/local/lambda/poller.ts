/**
 * An event source mapping: receives messages from a queue, invokes the function, and deletes the messages that the
 * function does not report as failed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  DeleteMessageBatchCommand,
  type Message,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { firstErrorLine } from '../start-error.ts'
import { region } from '../template.ts'

export interface EventSource {
  readonly queueUrl: string
  readonly queueArn: string
  readonly batchSize: number
  readonly batchingWindowSeconds: number
  /** Whether the result's `batchItemFailures` lists the records that stay in the queue. */
  readonly reportsBatchItemFailures: boolean
  /** Limit of concurrent invocations. */
  readonly concurrency: number
}

export interface Poller {
  /** Stops receiving, and resolves when the running invocations have ended. */
  stop(): Promise<void>
}

/** SQS's maximum for one receive or delete call. */
const maxMessagesPerCall = 10

/** Wait after a failed receive before the next receive. */
const retryDelayMs = 1000

type Invoke = (event: SQSEvent) => Promise<unknown>

/**
 * @param onError receives the cause of a failed invocation; its batch returns after the visibility timeout
 * @param whenIdle resolves when an invocation can begin soon
 */
export function startPoller(
  sqs: SQSClient,
  source: EventSource,
  invoke: Invoke,
  onError: (message: string) => void,
  whenIdle: () => Promise<void> = async () => {},
): Poller {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const start = (batch: readonly Message[]) => {
    const invocation = processBatch(sqs, source, invoke, batch)
      .catch((error: unknown) => onError(firstErrorLine(error)))
      .finally(() => running.delete(invocation))
    running.add(invocation)
  }
  const receiving = (async () => {
    while (!stopping.signal.aborted) {
      try {
        if (running.size >= source.concurrency) await Promise.race(running)
        else {
          await whenIdle()
          start(await receiveBatch(sqs, source, stopping.signal))
        }
      } catch (error) {
        if (stopping.signal.aborted) return
        onError(`${source.queueUrl}: ${firstErrorLine(error)}`)
        await delay(retryDelayMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await receiving
      await Promise.all(running)
    },
  }
}

async function processBatch(
  sqs: SQSClient,
  source: EventSource,
  invoke: Invoke,
  batch: readonly Message[],
): Promise<void> {
  if (batch.length === 0) return
  const records = batch.map((message) => toRecord(message, source.queueArn))
  const result = await invoke({ Records: records })
  const failed = source.reportsBatchItemFailures ? failuresIn(result, records) : new Set()
  await deleteMessages(
    sqs,
    source.queueUrl,
    batch.filter((message) => !failed.has(message.MessageId ?? '')),
  )
}

/** Waits for a first message, then collects more until the batching window ends or the batch is full. */
async function receiveBatch(sqs: SQSClient, source: EventSource, signal: AbortSignal): Promise<Message[]> {
  const batch = await receive(sqs, source.queueUrl, source.batchSize, 20, signal)
  const windowEnd = Date.now() + source.batchingWindowSeconds * 1000
  while (batch.length > 0 && batch.length < source.batchSize && !signal.aborted) {
    const seconds = Math.ceil((windowEnd - Date.now()) / 1000)
    if (seconds <= 0) break
    batch.push(...(await receive(sqs, source.queueUrl, source.batchSize - batch.length, seconds, signal)))
  }
  return batch
}

async function receive(
  sqs: SQSClient,
  queueUrl: string,
  count: number,
  waitSeconds: number,
  signal: AbortSignal,
): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: Math.min(count, maxMessagesPerCall),
    WaitTimeSeconds: waitSeconds,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
  })
  const { Messages = [] } = await sqs.send(command, { abortSignal: signal })
  return Messages
}

async function deleteMessages(sqs: SQSClient, queueUrl: string, messages: readonly Message[]): Promise<void> {
  for (let start = 0; start < messages.length; start += maxMessagesPerCall) {
    const entries = messages
      .slice(start, start + maxMessagesPerCall)
      .map((message, index) => ({ Id: String(index), ReceiptHandle: message.ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }))
  }
}

/**
 * Returns the ids that stay in the queue. As in Lambda, a result without a list means success, and an unknown id fails
 * the whole batch.
 */
export function failuresIn(result: unknown, records: readonly SQSRecord[]): ReadonlySet<string> {
  const failures = (result as { batchItemFailures?: { itemIdentifier?: unknown }[] } | null | undefined)
    ?.batchItemFailures
  const recordIds = new Set(records.map((record) => record.messageId))
  const failedIds = (failures ?? []).map((failure) => String(failure.itemIdentifier))
  return failedIds.every((id) => recordIds.has(id)) ? new Set(failedIds) : recordIds
}

function toRecord(message: Message, queueArn: string): SQSRecord {
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: { ...message.Attributes } as unknown as SQSRecord['attributes'],
    messageAttributes: toMessageAttributes(message.MessageAttributes ?? {}),
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  }
}

function toMessageAttributes(
  attributes: Record<string, MessageAttributeValue>,
): SQSRecord['messageAttributes'] {
  const entries = Object.entries(attributes).map(
    ([name, { DataType = 'String', StringValue, BinaryValue }]) => [
      name,
      {
        dataType: DataType,
        ...(StringValue !== undefined && { stringValue: StringValue }),
        ...(BinaryValue !== undefined && { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
      },
    ],
  )
  return Object.fromEntries(entries)
}
