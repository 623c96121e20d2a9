/**
 * Stores the state that the last notices described, with a lease for the run that sends notices. The lease lets only
 * one of concurrent runs send notices. The state is written after the notices, so a run that dies loses no notice, but
 * the next run may send a notice again.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import { unlessConditionFails } from '../../shared/dynamodb/unless-condition-fails.ts'
import type { NotifiedState } from './certificate-changes.ts'

const key = { pk: 'certificates', sk: 'told' }

const Item = z.object({
  told: z.object({ states: z.record(z.string(), z.string()), refused: z.string() }).optional(),
  /** Counts completed runs, so that a run with an old state gets no lease. */
  turn: z.number().default(0),
})

/** Longer than publishing all notices takes. */
const leaseMs = 120_000

export interface NotificationState {
  notified: NotifiedState | null
  completedRuns: number
}

export class NotificationItem {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  async read(): Promise<NotificationState> {
    const { Item: item = {} } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    const { told = null, turn } = Item.parse(item)
    return { notified: told, completedRuns: turn }
  }

  /** @returns false when another run holds the lease, or has completed since the state was read */
  claim({ completedRuns: turn }: NotificationState, now: Date): Promise<boolean> {
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: key,
          UpdateExpression: 'SET leaseUntil = :until',
          ConditionExpression:
            '(attribute_not_exists(leaseUntil) OR leaseUntil < :now) AND (attribute_not_exists(turn) OR turn = :turn)',
          ExpressionAttributeValues: {
            ':until': now.getTime() + leaseMs,
            ':now': now.getTime(),
            ':turn': turn,
          },
        }),
      ),
    )
  }

  /** Stores the state and ends the lease. */
  async write(notified: NotifiedState, { completedRuns: turn }: NotificationState): Promise<void> {
    await this.#documents.send(
      new PutCommand({ TableName: this.#table, Item: { ...key, told: notified, turn: turn + 1 } }),
    )
  }
}
