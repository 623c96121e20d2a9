/**
 * Limits the concurrent deliveries to one destination, over all workers. Each destination's item holds a set of leases,
 * `<end in milliseconds>#<id>`. A worker adds a lease under the condition that the set is not full. If the set is full,
 * the worker removes the expired leases of crashed workers; after a removal, the worker tries once more. The limit only
 * protects the destination from overload, so the caller delivers without a slot when the table fails.
 */
import { randomUUID } from 'node:crypto'
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { slotsKey } from './keys.ts'

export interface Slot {
  /** @throws when the table fails; the lease then expires */
  release(): Promise<void>
}

export interface SlotOptions {
  /** The limit of concurrent deliveries. */
  maxSlots: number
  /** Longer than a delivery can take. */
  leaseMs: number
  timeoutMs: number
}

/** Time from the end of an item's last lease to its expiry. */
const retentionSeconds = daySeconds

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
   * @returns null when all slots are taken
   * @throws when the table fails or times out
   */
  async acquire(destination: string, now: Date): Promise<Slot | null> {
    const leaseEndMs = now.getTime() + this.#options.leaseMs
    const lease = `${leaseEndMs}#${randomUUID()}`
    const isAcquired =
      (await this.#addLease(destination, lease, leaseEndMs)) ||
      ((await this.#removeExpiredLeases(destination, now)) &&
        (await this.#addLease(destination, lease, leaseEndMs)))
    return isAcquired ? { release: () => this.#removeLeases(destination, [lease]) } : null
  }

  #addLease(destination: string, lease: string, leaseEndMs: number): Promise<boolean> {
    return unlessConditionFails(
      this.#update(destination, {
        UpdateExpression: 'ADD leases :added SET expiresAt = :expiresAt',
        // The SDK repeats a write whose response was lost. The condition must also hold when the first write has added
        // the lease.
        ConditionExpression:
          'attribute_not_exists(leases) OR size(leases) < :maxSlots OR contains(leases, :lease)',
        ExpressionAttributeValues: {
          ':added': new Set([lease]),
          ':lease': lease,
          ':maxSlots': this.#options.maxSlots,
          ':expiresAt': Math.ceil(leaseEndMs / 1000) + retentionSeconds,
        },
      }),
    )
  }

  /** @returns whether any lease was removed */
  async #removeExpiredLeases(destination: string, now: Date): Promise<boolean> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: slotsKey(destination), ConsistentRead: true }),
      this.#requestOptions(),
    )
    const leases = (Item?.leases ?? new Set()) as ReadonlySet<string>
    const expired = [...leases].filter((lease) => Number.parseInt(lease, 10) < now.getTime())
    if (expired.length > 0) await this.#removeLeases(destination, expired)
    return expired.length > 0
  }

  #removeLeases(destination: string, leases: readonly string[]): Promise<void> {
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
    await this.#documents.send(command, this.#requestOptions())
  }

  #requestOptions(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#options.timeoutMs) }
  }
}
