/**
 * The MTA-STS policies of other domains, kept for as long as each says (RFC 8461 §3.3), and the last fetch that failed,
 * so that not every worker repeats it. Items outlive what they say until DynamoDB gets to them: whoever reads compares
 * the times.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import { hourMs } from '../contract/durations.ts'
import { TlsResult } from '../contract/tls-result.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { policyKey } from './keys.ts'

/** Milliseconds since the epoch. */
const instant = z.int().nonnegative()

export const KeptPolicy = z.strictObject({
  id: z.string(),
  mode: z.enum(['enforce', 'testing', 'none']),
  mx: z.array(z.string()).readonly(),
  /** Seconds. */
  maxAge: z.int().nonnegative(),
  /** When the fetch began. */
  fetchedAt: instant,
  /** From then on it is as though it were not there. */
  validUntil: instant,
})
export type KeptPolicy = z.infer<typeof KeptPolicy>

export const FailedFetch = z.strictObject({
  /** Of the policy that was announced. */
  id: z.string(),
  at: instant,
  result: TlsResult,
  detail: z.string(),
})
export type FailedFetch = z.infer<typeof FailedFetch>

export interface KnownOfDomain {
  policy: KeptPolicy | null
  /** Since the policy was fetched. */
  failure: FailedFetch | null
}

export const nothingKnown: KnownOfDomain = { policy: null, failure: null }

export interface PolicyStore {
  /** @param domain in comparable form */
  read(domain: string): Promise<KnownOfDomain>
  /** Unless one that was fetched later is there. */
  keep(domain: string, policy: KeptPolicy): Promise<void>
  /** Unless a policy was fetched later. */
  noteFailure(domain: string, failure: FailedFetch): Promise<void>
}

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

/** A store that is only read: what its holder finds out is for its own use. */
export function readOnly(store: Pick<PolicyStore, 'read'>): PolicyStore {
  return { read: (domain) => store.read(domain), keep: async () => {}, noteFailure: async () => {} }
}

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)
