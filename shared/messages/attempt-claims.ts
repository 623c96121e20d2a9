/**
 * The claim on an attempt, in the recipient's item: it lets only one worker make the attempt. A queue may deliver a job
 * twice, and a worker may die at any time, so a conditional write with a lease precedes each attempt. When the lease
 * expires before a result is written, the attempt may or may not have been made. It is then repeated, because a
 * duplicate is better than a loss, and the number of such workers is counted in `lost`.
 *
 * An attempt is claimed only while the recipient is not settled, and until evaluate-policy has decided about the
 * attempt's outcome. A bounce is recorded only while the next attempt is not claimed (trace.ts). Both are one item, so
 * DynamoDB orders them.
 */
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { Attempt } from '../contract/message.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { recipientKey } from './message-keys.ts'
import { packDetail, unpackDetail } from './packed-detail.ts'
import { isOpen, isSettled, type RecipientItem, settledStates } from './recipient-item.ts'
import { removalFromWaiting, waitingNames } from './waiting.ts'

export interface AttemptKey {
  messageId: string
  address: string
  /** Number of the attempt, from 1. */
  attempt: number
}

/** A worker's request for an attempt. */
export interface ClaimRequest {
  now: Date
  /** Longer than the attempt can take. */
  leaseMs: number
  /** Seconds since the epoch; DynamoDB may delete the item after this time. */
  expiresAt: number
  /** A name that only this worker uses, for this job. */
  holder: string
}

export type AttemptClaim =
  /** The caller makes the attempt. `lost`: number of earlier workers that began it and wrote no result. */
  | { kind: 'Claimed'; lost: number }
  /** Another worker holds the claim. The caller leaves the job in the queue. */
  | { kind: 'Busy' }
  /** The attempt ended with this result. `isSettled`: and its outcome was decided. */
  | { kind: 'Done'; attempt: Attempt; isSettled: boolean }
  /** The recipient is settled, or the outcome of the attempt was decided, so another job continues with it. */
  | { kind: 'Overtaken' }

const isUndecided = 'NOT attempts >= :attempt'
const isUnclaimed = 'NOT claimed >= :attempt'
const hasNoResult = 'claimed = :attempt AND attribute_not_exists(#result)'
/** A released claim has no holder. */
const isReleased = `${hasNoResult} AND attribute_not_exists(holder)`
const isLost = `${hasNoResult} AND holder = :before AND leaseUntil < :now`
const isOwn = 'claimed = :attempt AND holder = :holder'
/** The own write may be repeated. A report that settles the recipient removes the holder, so `isOwn` excludes it. */
const isNotBounced = 'NOT #state = :bounced'

export class AttemptClaims {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Creates the item if it is missing: the loss of the table must not stop deliveries. The SDK repeats a write whose
   * response was lost, so a claim with the own holder is the caller's.
   */
  async claim(key: AttemptKey, request: ClaimRequest): Promise<AttemptClaim> {
    if (await this.#take(key, request, isUnclaimed, ' REMOVE #result, lost'))
      return { kind: 'Claimed', lost: 0 }
    const { attempt } = key
    const item = await this.#read(key)
    if (item.claimed === attempt && item.result !== undefined)
      return {
        kind: 'Done',
        attempt: unpackDetail(item.result) as Attempt,
        isSettled: isOvertaken(item, attempt),
      }
    if (isOvertaken(item, attempt)) return { kind: 'Overtaken' }
    const { holder, leaseUntil = 0, lost = 0 } = item
    if (holder === request.holder) return { kind: 'Claimed', lost }
    if (holder !== undefined && leaseUntil >= request.now.getTime()) return { kind: 'Busy' }
    const isClaimed =
      holder === undefined
        ? await this.#take(key, request, isReleased)
        : await this.#takeLost(key, request, holder, lost + 1)
    if (!isClaimed && (await this.#read(key)).holder !== request.holder) return { kind: 'Busy' }
    return { kind: 'Claimed', lost: holder === undefined ? lost : lost + 1 }
  }

  #take(key: AttemptKey, request: ClaimRequest, condition: string, removal = ''): Promise<boolean> {
    return this.#write(key, {
      UpdateExpression: `SET claimed = :attempt, holder = :holder, leaseUntil = :leaseUntil, expiresAt = :expiresAt${removal}`,
      ConditionExpression: `${isOpen} AND ${isUndecided} AND ${condition}`,
      ExpressionAttributeNames: { '#state': 'state', '#result': 'result' },
      ExpressionAttributeValues: {
        ...settledStates,
        ':attempt': key.attempt,
        ':holder': request.holder,
        ':leaseUntil': request.now.getTime() + request.leaseMs,
        ':expiresAt': request.expiresAt,
      },
    })
  }

  /** The number is written and not added, because the SDK may repeat the write. */
  #takeLost(
    key: AttemptKey,
    { leaseMs, now, holder }: ClaimRequest,
    before: string,
    lost: number,
  ): Promise<boolean> {
    return this.#write(key, {
      UpdateExpression: 'SET holder = :holder, leaseUntil = :leaseUntil, lost = :lost',
      ConditionExpression: `${isOpen} AND ${isUndecided} AND ${isLost}`,
      ExpressionAttributeNames: { '#state': 'state', '#result': 'result' },
      ExpressionAttributeValues: {
        ...settledStates,
        ':attempt': key.attempt,
        ':holder': holder,
        ':before': before,
        ':now': now.getTime(),
        ':leaseUntil': now.getTime() + leaseMs,
        ':lost': lost,
      },
    })
  }

  /**
   * Releases a claim whose attempt was not made: it can be claimed again at once, and the recipient can bounce. Changes
   * nothing when the claim has another holder.
   */
  async release(key: AttemptKey, holder: string): Promise<void> {
    await this.#write(key, {
      UpdateExpression: 'REMOVE holder, leaseUntil',
      ConditionExpression: isOwn,
      ExpressionAttributeValues: { ':attempt': key.attempt, ':holder': holder },
    })
  }

  /**
   * Stores the result of the attempt; from then on the claim is `Done`.
   * @param settles whether the recipient becomes `Delivered` in the same write. False when the outcome must be reported
   * to evaluate-policy first
   * @throws Error when the claim has another holder, or the recipient was settled meanwhile; the caller must then report
   * the result
   */
  async complete(key: AttemptKey, holder: string, result: Attempt, settles: boolean): Promise<void> {
    const isWritten = await this.#write(key, {
      UpdateExpression: settles
        ? `SET #result = :result, #state = :delivered REMOVE leaseUntil, #exception, ${removalFromWaiting}`
        : 'SET #result = :result REMOVE leaseUntil',
      ConditionExpression: settles ? `${isOwn} AND ${isNotBounced}` : isOwn,
      ExpressionAttributeNames: {
        '#result': 'result',
        ...(settles && { '#state': 'state', '#exception': 'exception', ...waitingNames }),
      },
      ExpressionAttributeValues: {
        ':attempt': key.attempt,
        ':holder': holder,
        ':result': packDetail(withoutManyNames(result)),
        ...(settles && settledStates),
      },
    })
    if (!isWritten)
      throw new Error(`attempt ${key.attempt} of ${key.messageId} has another holder, or is settled`)
  }

  /** @returns false when the condition was not met */
  #write(
    { messageId, address }: AttemptKey,
    update: Omit<ConstructorParameters<typeof UpdateCommand>[0], 'TableName' | 'Key'>,
  ): Promise<boolean> {
    const Key = recipientKey(messageId, address)
    return unlessConditionFails(
      this.#documents.send(new UpdateCommand({ TableName: this.#table, Key, ...update })),
    )
  }

  async #read({ messageId, address }: AttemptKey): Promise<Partial<RecipientItem>> {
    const Key = recipientKey(messageId, address)
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key, ConsistentRead: true }),
    )
    return Item ?? {}
  }
}

/** A later claim without a decision shows that the table was lost in between. */
const isOvertaken = (item: Partial<RecipientItem>, attempt: number): boolean =>
  isSettled(item) || (item.attempts ?? 0) >= attempt || (item.claimed ?? 0) > attempt

/** Octets of the names of a next hop's certificate. With more, the item would exceed 1 KB. */
const maxNamesLength = 200

/** A certificate with many names keeps its SHA-256, by which its names can be found in other events. */
function withoutManyNames(attempt: Attempt): Attempt {
  const { tls } = attempt
  if (tls?.certificate === undefined || tls.certificate.names.join(' ').length <= maxNamesLength)
    return attempt
  const { certificate: _, ...rest } = tls
  return { ...attempt, tls: rest }
}
