/**
 * Exactly one effect. A queue may deliver a job twice, and a worker may die at any instruction; so every side
 * effect is claimed by a conditional write before it is made, with a lease. A claim whose lease ran out before
 * its result was written may or may not have had its effect: it is made again, because a duplicate is better
 * than a loss, and the caller counts it.
 */
import { randomUUID } from 'node:crypto'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'

export type Claim<Result> =
  /** Make the effect. `leaseExpired`: somebody began it before and was never heard of again. */
  | { kind: 'Claimed'; leaseExpired: boolean }
  /** Somebody else is at it; leave the job in the queue. */
  | { kind: 'Busy' }
  /** It was made, and this came of it. */
  | { kind: 'Done'; result: Result }

/** Stands where an attempt would, when the recipient is settled before anybody makes it. */
export interface Forestalled {
  outcome: 'Forestalled'
}

export interface ClaimKey {
  pk: string
  sk: string
}

const isFree = 'attribute_not_exists(pk)'
const leaseRanOut = 'leaseUntil < :now'
/** A result under a lease was put there instead of the effect; what came of an effect is kept without one. */
const isForestalled = '(attribute_exists(#result) AND attribute_exists(leaseUntil))'
/** The client repeats a write whose answer was lost; the repetition must not find somebody else in itself. */
const isMine = 'holder = :holder'

export class Claims<Result extends object> {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * @param leaseMs longer than the effect can take
   * @param expiresAt seconds since the epoch after which the item may be dropped
   */
  async claim(key: ClaimKey, now: Date, leaseMs: number, expiresAt: number): Promise<Claim<Result>> {
    const holder = randomUUID()
    const before = await this.#put(
      new PutCommand({
        TableName: this.#table,
        Item: { ...key, holder, leaseUntil: now.getTime() + leaseMs, expiresAt },
        ConditionExpression: `${isFree} OR ${leaseRanOut} OR ${isMine}`,
        ExpressionAttributeValues: { ':now': now.getTime(), ':holder': holder },
        ReturnValues: 'ALL_OLD',
      }),
    )
    if (before === 'taken') return this.#read(key)
    return { kind: 'Claimed', leaseExpired: before !== null && before.holder !== holder }
  }

  /**
   * Puts a result in the place of an effect that nobody has begun, so that it is not. Who does so goes on to
   * settle the matter, and may die first; so the place is theirs for a lease only.
   * @param leaseMs longer than settling can take
   * @param expiresAt seconds since the epoch after which the item may be dropped
   * @returns false when somebody has begun the effect
   */
  async forestall(
    key: ClaimKey,
    result: Result,
    now: Date,
    leaseMs: number,
    expiresAt: number,
  ): Promise<boolean> {
    const holder = randomUUID()
    const before = await this.#put(
      new PutCommand({
        TableName: this.#table,
        Item: { ...key, holder, result, leaseUntil: now.getTime() + leaseMs, expiresAt },
        ConditionExpression: `${isFree} OR ${isForestalled} OR ${isMine}`,
        ExpressionAttributeNames: { '#result': 'result' },
        ExpressionAttributeValues: { ':holder': holder },
      }),
    )
    return before !== 'taken'
  }

  /** Whether somebody has begun the effect. Where something was put in its place, nobody has. */
  async isBegun(key: ClaimKey): Promise<boolean> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item !== undefined && (Item.result === undefined || Item.leaseUntil === undefined)
  }

  /** Keeps what came of the effect; from here on the claim is `Done`. */
  async complete(key: ClaimKey, result: Result): Promise<void> {
    await this.#documents.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: key,
        UpdateExpression: 'SET #result = :result REMOVE leaseUntil',
        ExpressionAttributeNames: { '#result': 'result' },
        ExpressionAttributeValues: { ':result': result },
      }),
    )
  }

  /** @returns the item that stood there, if any, or that the place is taken */
  async #put(command: PutCommand): Promise<Record<string, unknown> | null | 'taken'> {
    try {
      const { Attributes } = await this.#documents.send(command)
      return Attributes ?? null
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return 'taken'
      throw error
    }
  }

  async #read(key: ClaimKey): Promise<Claim<Result>> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item?.result ? { kind: 'Done', result: Item.result as Result } : { kind: 'Busy' }
  }
}
