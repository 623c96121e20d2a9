/**
 * Stores the events of a batch in the bucket before their messages leave the queue. If a request fails, the whole batch
 * is retried: the seal drops the copies.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { newUlid } from '../../shared/content/ulid.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { rawKey } from '../../shared/events/event-keys.ts'
import type { EventStore } from '../../shared/events/event-store.ts'
import type { EventAddresses } from '../../shared/events/hash-addresses.ts'
import { hourOf } from '../../shared/events/hours.ts'
import type { JobSource } from '../../shared/lambda/job-source.ts'
import { receivesOf } from '../../shared/lambda/job-source.ts'
import type { RejectedSessions } from '../../shared/messages/rejected-sessions.ts'
import { type RawContent, rawObjects } from './raw-objects.ts'
import { type EventLine, readLines } from './read-lines.ts'

export interface Dependencies {
  store: Pick<EventStore, 'put'>
  /** Returns what hashes the addresses in events, or null if they stay plain; rejects while the key cannot be read. */
  addresses(): Promise<Pick<EventAddresses, 'hashIn'> | null>
  /** Its items stay plain. */
  rejected: Pick<RejectedSessions, 'store'>
  source: Pick<JobSource, 'delay' | 'sendToDeadLetters'>
  logger: Pick<Logger, 'info' | 'error'>
  /** Counts the records that have failed for a quarter of an hour. */
  countFailing(count: number): void
  /** Milliseconds since the epoch. */
  now(): number
}

/** As in sqs-handler.ts: a record fails for about a quarter of an hour until this receive. */
const failingReceives = 7

const compress = promisify(gzip)

/** @returns the records to retry */
export async function recordEvents(
  { Records: records }: Pick<SQSEvent, 'Records'>,
  dependencies: Dependencies,
): Promise<SQSBatchResponse> {
  const failed = await store(records, dependencies)
  if (failed.length > 0) {
    const failing = failed.filter((record) => receivesOf(record) >= failingReceives).length
    if (failing > 0) dependencies.countFailing(failing)
    const causes = await dependencies.source.delay(failed)
    if (causes.length > 0)
      dependencies.logger.error('The delay of failed records could not be set', { causes })
  }
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
}

/** @returns the records that failed */
async function store(records: readonly SQSRecord[], dependencies: Dependencies): Promise<SQSRecord[]> {
  const { logger, now } = dependencies
  const read = records.map((record) => ({ record, ...readLines(record.body) }))
  const lines = read.flatMap(({ lines }) => lines)
  try {
    const addresses = await dependencies.addresses()
    const objects = rawObjects(
      addresses === null ? lines : lines.map((line) => withHashedAddresses(line, addresses)),
    )
    const hour = hourOf(Math.max(now(), ...records.map(sentAtMs)))
    await Promise.all([
      ...objects.map((content) => put(hour, content, dependencies)),
      dependencies.rejected.store(
        lines.filter(({ event }) => event.kind === 'Rejected').map(({ event }) => event),
      ),
    ])
    logger.info('events recorded', { events: lines.length, objects: objects.length })
  } catch (error) {
    logger.error('The events could not be stored; their records are retried', error as Error)
    return [...records]
  }
  const unreadable = read.filter(({ fault }) => fault !== null)
  const results = await Promise.all(
    unreadable.map(({ record, fault }) => moveToDeadLetters(record, fault ?? '', dependencies)),
  )
  return results.filter((record) => record !== null)
}

const withHashedAddresses = ({ event }: EventLine, addresses: Pick<EventAddresses, 'hashIn'>): EventLine => ({
  line: `${JSON.stringify(addresses.hashIn(event))}\n`,
  event,
})

/**
 * When SQS got the message, ms since the epoch. A clock that was set back must not store events in an hour that is sealed.
 */
const sentAtMs = ({ attributes }: SQSRecord): number => Number(attributes.SentTimestamp ?? 0)

async function put(hour: string, content: RawContent, { store }: Pick<Dependencies, 'store'>): Promise<void> {
  await store.put(rawKey(hour, content, newUlid()), await compress(content.text))
}

/**
 * Moves a message with an unreadable line. Its readable events are stored already, and a later copy of them is dropped.
 * @returns the record, if it must stay on its queue
 */
async function moveToDeadLetters(
  record: SQSRecord,
  reason: string,
  { source, logger }: Pick<Dependencies, 'source' | 'logger'>,
): Promise<SQSRecord | null> {
  try {
    await source.sendToDeadLetters(record, reason)
    logger.error('The record was moved to the dead-letter queue', { sqsMessageId: record.messageId, reason })
    return null
  } catch (error) {
    logger.error('The record could not be moved to the dead-letter queue', {
      sqsMessageId: record.messageId,
      reason: errorMessage(error),
    })
    return record
  }
}
