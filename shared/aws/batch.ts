/** Batches of messages for a queue, as SQS's SendMessageBatch takes and answers them. */
import type {
  BatchResultErrorEntry,
  SendMessageBatchRequestEntry,
  SendMessageBatchResultEntry,
} from '@aws-sdk/client-sqs'

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
