/**
 * How many deliveries there are to one destination at once, over all workers. One item for each destination holds a
 * set of leases, `<when it ends, milliseconds>#<id>`, and a lease is added under the condition that the set is not
 * full. A worker that dies leaves its lease behind, which whoever finds the set full removes once it ended. The limit:
 * it is a courtesy to the destination, so a table that fails must not keep mail from it; the caller goes on.
 */
import { randomUUID } from 'node:crypto'
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { slotsKey } from './keys.ts'

export interface Slot {
  /** Gives the place up. @throws when the table fails; the lease then ends by itself */
  release(): Promise<void>
}

export interface SlotOptions {
  /** Deliveries at once. */
  most: number
  /** Milliseconds; longer than a delivery can take. */
  leaseMs: number
  /** Milliseconds that the table may take to answer. */
  patienceMs: number
}

/** Seconds that an item outlives its last lease. */
const keptSeconds = daySeconds

export class Slots {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #options: SlotOptions

  constructor(documents: DynamoDBDocumentClient, table: string, options: SlotOptions) {
    this.#documents = documents
    this.#table = table
    this.#options = options
  }

  /**
   * @returns null when all places are taken
   * @throws when the table fails or does not answer in time
   */
  async acquire(destination: string, now: Date): Promise<Slot | null> {
    const until = now.getTime() + this.#options.leaseMs
    const lease = `${until}#${randomUUID()}`
    const taken =
      (await this.#add(destination, lease, until)) ||
      ((await this.#removeEnded(destination, now)) && (await this.#add(destination, lease, until)))
    return taken ? { release: () => this.#remove(destination, [lease]) } : null
  }

  #add(destination: string, lease: string, until: number): Promise<boolean> {
    return unlessConditionFails(
      this.#update(destination, {
        UpdateExpression: 'ADD leases :added SET expiresAt = :expiresAt',
        // The client repeats a write whose answer was lost, which must not find itself in its way.
        ConditionExpression:
          'attribute_not_exists(leases) OR size(leases) < :most OR contains(leases, :lease)',
        ExpressionAttributeValues: {
          ':added': new Set([lease]),
          ':lease': lease,
          ':most': this.#options.most,
          ':expiresAt': Math.ceil(until / 1000) + keptSeconds,
        },
      }),
    )
  }

  /** @returns whether there were any */
  async #removeEnded(destination: string, now: Date): Promise<boolean> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: slotsKey(destination), ConsistentRead: true }),
      this.#inTime(),
    )
    const leases = (Item?.leases ?? new Set()) as ReadonlySet<string>
    const ended = [...leases].filter((lease) => Number.parseInt(lease, 10) < now.getTime())
    if (ended.length > 0) await this.#remove(destination, ended)
    return ended.length > 0
  }

  #remove(destination: string, leases: readonly string[]): Promise<void> {
    return this.#update(destination, {
      UpdateExpression: 'DELETE leases :removed',
      ExpressionAttributeValues: { ':removed': new Set(leases) },
    })
  }

  async #update(
    destination: string,
    change: Pick<
      ConstructorParameters<typeof UpdateCommand>[0],
      'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues'
    >,
  ): Promise<void> {
    const command = new UpdateCommand({ TableName: this.#table, Key: slotsKey(destination), ...change })
    await this.#documents.send(command, this.#inTime())
  }

  #inTime(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#options.patienceMs) }
  }
}
