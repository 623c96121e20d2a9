/**
 * Stores the MTA-STS policies of recipient domains until each expires (RFC 8461 §3.3), and each domain's last failed
 * fetch, so that not every worker repeats the fetch. Readers compare the times: DynamoDB deletes expired items late.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { hourMs } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import {
  type DomainState,
  emptyDomainState,
  FailedFetch,
  type PolicyStore,
  StoredPolicy,
} from '../net/mta-sts/policy-store.ts'
import { policyKey } from './keys.ts'

/** An item without a policy expires after this time. */
const failureRetentionMs = hourMs

export class PolicyTable implements PolicyStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  async read(domain: string): Promise<DomainState> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: policyKey(domain), ConsistentRead: true }),
    )
    if (!Item) return emptyDomainState
    return {
      policy: StoredPolicy.nullable().parse(Item.policy ?? null),
      failure: FailedFetch.nullable().parse(Item.failure ?? null),
    }
  }

  async savePolicy(domain: string, policy: StoredPolicy): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: {
            ...policyKey(domain),
            policy,
            fetchedAt: policy.fetchedAt,
            expiresAt: toSeconds(policy.validUntil),
          },
          ConditionExpression: 'attribute_not_exists(fetchedAt) OR fetchedAt < :fetchedAt',
          ExpressionAttributeValues: { ':fetchedAt': policy.fetchedAt },
        }),
      ),
    )
  }

  async saveFailure(domain: string, failure: FailedFetch): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: policyKey(domain),
          // An item with a policy keeps the policy's expiry.
          UpdateExpression: 'SET failure = :failure, expiresAt = if_not_exists(expiresAt, :until)',
          ConditionExpression: 'attribute_not_exists(fetchedAt) OR fetchedAt <= :at',
          ExpressionAttributeValues: {
            ':failure': failure,
            ':at': failure.at,
            ':until': toSeconds(failure.at + failureRetentionMs),
          },
        }),
      ),
    )
  }
}

const toSeconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)
