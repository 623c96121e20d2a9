/** The metrics of SQS that the alarms watch, of the emulator's queues. */
import type { MetricId } from './metric-store.ts'

interface QueuedMessage {
  /** Milliseconds since the epoch. */
  readonly sentTimestamp: number
  readonly approximateReceiveCount: number
}

export interface InspectedQueue {
  readonly messages: {
    readonly ready: readonly QueuedMessage[]
    readonly inflight: readonly { readonly message: QueuedMessage }[]
  }
}

/**
 * SQS leaves a message that was received more than three times out of the age
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
 */
const maxReceives = 3

/** @returns null for other metrics and unknown queues */
export function queueMetric(
  { namespace, name, dimensions }: MetricId,
  inspect: (queueName: string) => InspectedQueue | undefined,
  now: number,
): number | null {
  if (namespace !== 'AWS/SQS') return null
  const messages = inspect(dimensions.QueueName ?? '')?.messages
  if (messages === undefined) return null
  if (name === 'ApproximateNumberOfMessagesVisible') return messages.ready.length
  if (name !== 'ApproximateAgeOfOldestMessage') return null
  const sent = [...messages.ready, ...messages.inflight.map(({ message }) => message)]
    .filter(({ approximateReceiveCount }) => approximateReceiveCount <= maxReceives)
    .map(({ sentTimestamp }) => sentTimestamp)
  return sent.length === 0 ? 0 : Math.floor((now - Math.min(...sent)) / 1000)
}
