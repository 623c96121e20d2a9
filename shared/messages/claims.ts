/**
 * A claim lets only one worker execute a side effect: the sending of a DSN or notice, or an authentication. The claim on
 * an attempt is in the recipient's item (attempt-claims.ts). A queue may deliver a job twice, and a worker may die at any
 * time. So a conditional write with a lease precedes every side effect. When a lease expires before a result is
 * written, the effect may or may not have happened. The effect is then repeated, because a duplicate is better than a
 * loss, and the caller counts the repetition.
 */
import { randomUUID } from 'node:crypto'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'

export type Claim<Result> =
  /** The caller executes the effect. `leaseExpired`: an earlier worker began the effect and wrote no result. */
  | { kind: 'Claimed'; leaseExpired: boolean }
  /** Another worker holds the claim. The caller leaves the job in the queue. */
  | { kind: 'Busy' }
  /** The effect was executed with this result. */
  | { kind: 'Done'; result: Result }

export interface ClaimKey {
  pk: string
  sk: string
}

/** A released claim has no holder either. */
const isFree = 'attribute_not_exists(holder)'
const leaseHasExpired = 'leaseUntil < :now'
/** The SDK repeats a write whose response was lost. The repetition must match the item that the first write created. */
const isOwnHolder = 'holder = :holder'

export class Claims<Result extends object> {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * @param leaseMs longer than the effect can take
   * @param expiresAt seconds since the epoch; DynamoDB may delete the item after this time
   * @param holder a name that only this call uses; `release` needs it
   */
  async claim(
    key: ClaimKey,
    now: Date,
    leaseMs: number,
    expiresAt: number,
    holder: string = randomUUID(),
  ): Promise<Claim<Result>> {
    try {
      const { Attributes } = await this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: { ...key, holder, leaseUntil: now.getTime() + leaseMs, expiresAt },
          ConditionExpression: `${isFree} OR ${leaseHasExpired} OR ${isOwnHolder}`,
          ExpressionAttributeValues: { ':now': now.getTime(), ':holder': holder },
          ReturnValues: 'ALL_OLD',
        }),
      )
      const earlier = Attributes?.holder
      return { kind: 'Claimed', leaseExpired: earlier !== undefined && earlier !== holder }
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return this.#read(key)
      throw error
    }
  }

  /**
   * Releases a claim whose effect did not happen: the effect can be claimed again at once. Changes nothing when the claim
   * has another holder.
   */
  async release(key: ClaimKey, holder: string): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: key,
          UpdateExpression: 'REMOVE holder, leaseUntil',
          ConditionExpression: isOwnHolder,
          ExpressionAttributeValues: { ':holder': holder },
        }),
      ),
    )
  }

  /** Stores the result of the effect; from then on the claim is `Done`. */
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

  async #read(key: ClaimKey): Promise<Claim<Result>> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item?.result ? { kind: 'Done', result: Item.result as Result } : { kind: 'Busy' }
  }
}
