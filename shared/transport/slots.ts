/**
 * Limits the concurrent deliveries to one destination, over all workers. Each destination has an item with its limit and
 * the leases of its workers (`shared/limits/slot-pool.ts`). A worker reads the item, then writes it under the condition
 * that no other worker has written it since. It acquires once for all its deliveries of a batch, and reports their
 * results when it renews or releases its lease. So a delivery costs much less than one write, and a refused worker
 * writes nothing. The limit only protects the destination from overload, so the caller delivers without a slot when the
 * table fails.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { RecentMap } from '../limits/recent-map.ts'
import type { LoadReport } from '../limits/session-limit.ts'
import {
  type SlotGrant,
  type SlotLease,
  type SlotPool,
  type SlotPoolOptions,
  type SlotRequest,
  updateSlots,
} from '../limits/slot-pool.ts'
import { slotsKey } from './keys.ts'

/** What a delivery shows about the load of its destination. */
export type DestinationLoad = 'Accepted' | 'Overloaded'

/** The slots that one worker has for one destination. */
export interface AcquiredSlots {
  /** The maximum number of concurrent deliveries, at least 1. It changes with reports and renewals. */
  readonly count: number
  /** Counts a delivery. Overload halves the worker's own slots at once. */
  report(load: DestinationLoad): void
  /** From the next renewal on, the worker keeps at most this many slots. */
  reduceTo(count: number): void
  /** @throws when the table fails; the lease then expires */
  release(): Promise<void>
}

export interface SlotsOptions extends SlotPoolOptions {
  /** For one operation, with its repetitions. */
  timeoutMs: number
  /** Milliseconds since 1970. */
  now(): number
}

/** After a refusal, this process asks again after this time. Jobs return from their queue later. */
const refusalMemoryMs = 500
/** Maximum number of destinations in memory. */
const maxDestinations = 10_000
/** Time from the last write of an item to its expiry. */
const retentionSeconds = daySeconds
/** When another worker has written meanwhile, the wait before a repetition is random, and at most this, doubled each time. */
const firstConflictDelayMs = 20

export class Slots {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #options: SlotsOptions
  readonly #refusedAtMs = new RecentMap<string, number>(maxDestinations)
  /** The leases that were left to expire. Their holder is used again. */
  readonly #leftHolders = new RecentMap<string, string>(maxDestinations)
  /** The last operation for each destination, because this process must not conflict with itself. */
  readonly #operations = new Map<string, Promise<unknown>>()

  constructor(documents: DynamoDBDocumentClient, table: string, options: SlotsOptions) {
    this.#documents = documents
    this.#table = table
    this.#options = options
  }

  /**
   * @param wanted number of slots that the worker can use; it may get fewer
   * @returns null when no slot is free
   * @throws when the table fails or times out
   */
  async acquire(destination: string, wanted: number): Promise<AcquiredSlots | null> {
    const refusedAtMs = this.#refusedAtMs.get(destination)
    if (refusedAtMs !== undefined && this.#options.now() - refusedAtMs < refusalMemoryMs) return null
    const holder = this.#leftHolders.get(destination) ?? randomUUID().slice(0, 8)
    this.#leftHolders.delete(destination)
    const request = { holder, wanted, isEnd: false, report: null }
    const grant = await this.#update(destination, request)
    if (grant.granted > 0) return this.#lend(destination, request, grant)
    this.#refusedAtMs.set(destination, this.#options.now())
    return null
  }

  /** Renews the lease until its release. */
  #lend(
    destination: string,
    { holder, wanted }: SlotRequest,
    { granted, isContended }: SlotGrant,
  ): AcquiredSlots {
    let count = granted
    let stillWanted = wanted
    let mustRelease = isContended
    let report: LoadReport = { accepted: 0, overloaded: 0 }
    const send = async (isEnd: boolean): Promise<SlotGrant> => {
      const reported = report
      report = { accepted: 0, overloaded: 0 }
      return this.#update(destination, { holder, wanted: stillWanted, isEnd, report: reported })
    }
    const renewals = setInterval(() => {
      // A failed renewal is repeated by the next one. If all fail, the lease expires.
      void send(false).then(
        (grant) => {
          count = Math.max(1, grant.granted)
          mustRelease = grant.isContended
        },
        () => {},
      )
    }, this.#options.leaseMs / 3)
    renewals.unref()
    return {
      get count() {
        return count
      },
      report(load) {
        if (load === 'Accepted') report.accepted += 1
        else {
          report.overloaded += 1
          count = Math.max(1, Math.floor(count / 2))
        }
      },
      reduceTo(remaining) {
        stillWanted = Math.max(1, Math.min(stillWanted, remaining))
      },
      release: async () => {
        clearInterval(renewals)
        // While most slots are free, the lease may expire by itself: that saves the second write of a lone message.
        if (mustRelease || report.overloaded > 0) await send(true)
        else this.#leftHolders.set(destination, holder)
      },
    }
  }

  #update(destination: string, request: SlotRequest): Promise<SlotGrant> {
    const previous = this.#operations.get(destination) ?? Promise.resolve()
    const operation = previous.then(() => this.#tryUpdate(destination, request))
    const settled = operation.catch(() => {})
    this.#operations.set(destination, settled)
    void settled.then(() => {
      if (this.#operations.get(destination) === settled) this.#operations.delete(destination)
    })
    return operation
  }

  /** After a write whose response was lost, the SDK repeats it, and this function applies the report twice. */
  async #tryUpdate(destination: string, request: SlotRequest): Promise<SlotGrant> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs)
    for (let maxDelayMs = firstConflictDelayMs; ; maxDelayMs *= 2) {
      const stored = await this.#read(destination, signal)
      const grant = updateSlots(stored?.pool ?? null, request, this.#options, this.#options.now())
      if (grant.granted === 0 && !request.isEnd) return grant
      if (await this.#write(destination, grant.pool, stored?.version ?? 0, signal)) return grant
      await delay(Math.random() * maxDelayMs, undefined, { signal })
    }
  }

  async #read(
    destination: string,
    abortSignal: AbortSignal,
  ): Promise<{ pool: SlotPool; version: number } | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: slotsKey(destination), ConsistentRead: true }),
      { abortSignal },
    )
    if (Item === undefined) return null
    const { limit, threshold, reducedAtMs, updatedAtMs, leases, version } = Item
    return {
      pool: { limit, threshold, reducedAtMs, updatedAtMs, leases: (leases as string[]).map(parseLease) },
      version,
    }
  }

  /** @returns false when another worker has written since `version` was read */
  #write(destination: string, pool: SlotPool, version: number, abortSignal: AbortSignal): Promise<boolean> {
    const command = new PutCommand({
      TableName: this.#table,
      Item: {
        ...slotsKey(destination),
        ...pool,
        leases: pool.leases.map(formatLease),
        version: version + 1,
        expiresAt: Math.ceil(pool.updatedAtMs / 1000) + retentionSeconds,
      },
      ConditionExpression: version === 0 ? 'attribute_not_exists(pk)' : 'version = :version',
      ...(version > 0 && { ExpressionAttributeValues: { ':version': version } }),
    })
    return unlessConditionFails(this.#documents.send(command, { abortSignal }))
  }
}

/** Text, because a map for each lease would make the item larger than one write unit. */
const formatLease = ({ holder, slots, endMs }: SlotLease): string => [holder, slots, endMs].join('#')

function parseLease(text: string): SlotLease {
  const [holder = '', slots, endMs] = text.split('#')
  return { holder, slots: Number(slots), endMs: Number(endMs) }
}
