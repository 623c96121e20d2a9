/**
 * The MTA-STS policies of other domains, kept for as long as each says (RFC 8461 §3.3), and the last fetch that failed,
 * so that not every worker repeats it. Items outlive what they say until DynamoDB gets to them: whoever reads compares
 * the times.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { hourMs } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import {
  FailedFetch,
  KeptPolicy,
  type KnownOfDomain,
  nothingKnown,
  type PolicyStore,
} from '../net/mta-sts/policy-store.ts'
import { policyKey } from './keys.ts'

/** Milliseconds that an item stays which holds nothing but a failure. */
const failureKept = hourMs

export class PolicyTable implements PolicyStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  async read(domain: string): Promise<KnownOfDomain> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: policyKey(domain), ConsistentRead: true }),
    )
    if (!Item) return nothingKnown
    return {
      policy: KeptPolicy.nullable().parse(Item.policy ?? null),
      failure: FailedFetch.nullable().parse(Item.failure ?? null),
    }
  }

  async keep(domain: string, policy: KeptPolicy): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: {
            ...policyKey(domain),
            policy,
            fetchedAt: policy.fetchedAt,
            expiresAt: seconds(policy.validUntil),
          },
          ConditionExpression: 'attribute_not_exists(fetchedAt) OR fetchedAt < :fetchedAt',
          ExpressionAttributeValues: { ':fetchedAt': policy.fetchedAt },
        }),
      ),
    )
  }

  async noteFailure(domain: string, failure: FailedFetch): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: policyKey(domain),
          // Beside a policy the item lives as long as that.
          UpdateExpression: 'SET failure = :failure, expiresAt = if_not_exists(expiresAt, :until)',
          ConditionExpression: 'attribute_not_exists(fetchedAt) OR fetchedAt <= :at',
          ExpressionAttributeValues: {
            ':failure': failure,
            ':at': failure.at,
            ':until': seconds(failure.at + failureKept),
          },
        }),
      ),
    )
  }
}

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)
