/**
 * Finds and redrives dead letters. SQS has no query for the messages of a queue, so each request receives them, until
 * every queue seems empty or the time is over. Received letters are hidden from other requests. At the end they are
 * released; if the function dies, they reappear after 20 seconds.
 *
 * A redrive sends first and deletes afterwards. If it is interrupted in between, the job is on its queue and still a
 * dead letter. A second redrive is harmless, because side effects are claimed. SQS's own redrive, StartMessageMoveTask,
 * has no filter: it moves all messages of a queue.
 */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { SQSClient } from '@aws-sdk/client-sqs'
import type { QueueUrls } from '../../shared/lambda/job-source.ts'
import { type DeadLetter, type DeadLetterFilter, matchesFilter, QueueName } from './dead-letter.ts'
import { DeadLetterQueue, type HeldLetter } from './dead-letter-queue.ts'

export interface Dependencies {
  sqs: Pick<SQSClient, 'send'>
  urls: Record<QueueName, QueueUrls>
  logger: Pick<Logger, 'info' | 'error'>
  /** Milliseconds since the epoch. */
  now: () => number
}

/** Below the function's timeout, so that the batch under way can end and the letters are released. */
const maxRunMs = 6_000

export interface DeadLetterList {
  /** Oldest first. */
  letters: DeadLetter[]
  /** Whether there may be more. */
  isTruncated: boolean
}

/** @throws Error when SQS does not return the letters */
export async function listDeadLetters(
  filter: DeadLetterFilter,
  limit: number,
  dependencies: Dependencies,
): Promise<DeadLetterList> {
  const found = new Map<string, DeadLetter>()
  const isComplete = await forEachBatch(filter, dependencies, {
    isDone: () => found.size >= limit,
    async handle(_, batch) {
      for (const { letter } of batch) if (matchesFilter(letter, filter)) found.set(letter.id, letter)
      return []
    },
  })
  const letters = [...found.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
  return { letters: letters.slice(0, limit), isTruncated: !isComplete || letters.length > limit }
}

export interface RedriveOptions {
  /** Maximum number of letters to send. */
  limit: number
  /** Whether unreadable letters are redriven too. */
  force: boolean
  /** The administrator, for the log. */
  caller: string | null
}

export interface RedriveResult {
  redriven: number
  /** Number of redriven letters that could not be deleted. */
  notDeleted: number
  /** Number of letters that their queue did not accept. */
  failed: number
  /** Number of matching letters that are unreadable. */
  skipped: number
  /** Whether more letters may match. */
  isTruncated: boolean
}

/** @throws Error when SQS does not return the letters; the log names the letters that were redriven before */
export async function redriveDeadLetters(
  filter: DeadLetterFilter,
  { limit, force, caller }: RedriveOptions,
  dependencies: Dependencies,
): Promise<RedriveResult> {
  const { logger } = dependencies
  const result = { redriven: 0, notDeleted: 0, failed: 0, skipped: 0 }
  let remaining = limit
  const isComplete = await forEachBatch(filter, dependencies, {
    isDone: () => remaining === 0,
    async handle(queue, batch) {
      const matching = batch.filter(({ letter }) => matchesFilter(letter, filter))
      const permitted = matching.filter(({ letter }) => force || letter.readable)
      // The limit is reduced before the first await, because the queues are read at the same time.
      const chosen = permitted.slice(0, remaining)
      remaining -= chosen.length
      const sent = await queue.sendToQueue(chosen)
      const deleted = await queue.delete(sent)
      for (const { letter } of sent) logger.info('dead letter redriven', { caller, ...logFields(letter) })
      result.redriven += sent.length
      result.notDeleted += sent.length - deleted.length
      result.failed += chosen.length - sent.length
      result.skipped += matching.length - permitted.length
      return sent
    },
  })
  return { ...result, isTruncated: !isComplete }
}

/** Without addresses. */
const logFields = ({ queue, id, messageId, reason, readable }: DeadLetter) => ({
  queue,
  id,
  messageId,
  reason,
  readable,
})

interface BatchHandler {
  isDone(): boolean
  /** @returns the letters that must not be released */
  handle(queue: DeadLetterQueue, batch: readonly HeldLetter[]): Promise<readonly HeldLetter[]>
}

/** @returns whether every queue was read to its end */
async function forEachBatch(
  filter: DeadLetterFilter,
  { sqs, urls, logger, now }: Dependencies,
  handler: BatchHandler,
): Promise<boolean> {
  const names = filter.queue === undefined ? QueueName.options : [filter.queue]
  const onError = (error: Error) =>
    logger.error('A dead letter could not be sent, deleted or released', error)
  const deadline = now() + maxRunMs
  const isOver = () => handler.isDone() || now() >= deadline
  const results = await Promise.allSettled(
    names.map((name) =>
      forEachBatchOf(new DeadLetterQueue(sqs, name, urls[name], onError), isOver, handler.handle),
    ),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return results.every((result) => result.status === 'fulfilled' && result.value)
}

async function forEachBatchOf(
  queue: DeadLetterQueue,
  isOver: () => boolean,
  handle: BatchHandler['handle'],
): Promise<boolean> {
  const released: HeldLetter[] = []
  try {
    while (!isOver()) {
      const batch = await queue.receive()
      if (batch.length === 0) return true
      const kept = new Set(await handle(queue, batch))
      // Without the bodies, because those of thousands of letters would exceed the function's memory.
      for (const held of batch)
        if (!kept.has(held))
          released.push({ ...held, message: { ReceiptHandle: held.message.ReceiptHandle } })
    }
    return false
  } finally {
    await queue.release(released)
  }
}
