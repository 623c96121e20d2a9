/**
 * Stores counted sessions in DynamoDB, by day. The attack: a domain whose servers, policies and faults never repeat
 * fills the table. The defence: each shard of a day holds a limited number of a domain's policies and faults; the
 * others are added up by kind. Not covered: a flood of invented faults hides the names of real ones, but not their
 * number.
 */
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds } from '../contract/durations.ts'
import { asError } from '../contract/error-message.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { concurrencyLimiter } from '../limits/concurrency-limiter.ts'
import { sessionsPartition, sessionsPartitions } from '../transport/keys.ts'
import { type AppliedPolicy, type Failure, failureId, policyId } from './applied-policy.ts'
import { dayBounds } from './days.ts'
import type { CountedSessions } from './tally.ts'

/** A day's sessions with one domain. */
export interface DomainCounts {
  domain: string
  policies: PolicyCounts[]
}

export interface PolicyCounts {
  policy: AppliedPolicy
  successes: number
  failures: number
  /** The most frequent first. */
  details: { failure: Failure; sessions: number }[]
}

/** The number of sessions that were not stored, and the first error. */
export interface FailedWrites {
  sessions: number
  cause: Error
}

/** Limit for the different policies and faults of a domain in one shard of a day. */
const maxCounters = 60
/** Counts are kept for this many days after the reported day. Reports are retried for a shorter time. */
const retentionDays = 10
const maxConcurrentWrites = 10

export class SessionCounters {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Adds the counts to the stored ones. A retry after a lost response counts twice.
   * @param random in [0, 1); selects the shard
   * @returns null if all were stored; never throws
   */
  async add(
    counts: readonly CountedSessions[],
    random: number,
    signal: AbortSignal,
  ): Promise<FailedWrites | null> {
    const slots = concurrencyLimiter(maxConcurrentWrites)
    const results = await Promise.all(
      counts.map((count) =>
        slots(() => this.#add(count, random, signal)).then(
          () => null,
          (error: unknown) => ({ sessions: count.sessions, cause: asError(error) }),
        ),
      ),
    )
    const failedWrites = results.filter((result) => result !== null)
    const [first] = failedWrites
    if (first === undefined) return null
    return { sessions: failedWrites.reduce((sum, { sessions }) => sum + sessions, 0), cause: first.cause }
  }

  /** All domains of a day, sorted by name. They are read from the table on demand. */
  async *domains(day: string): AsyncGenerator<DomainCounts> {
    const heads = await Promise.all(
      sessionsPartitions(day).map(async (pk) => {
        const items = this.#items(pk)
        return { items, next: await items.next() }
      }),
    )
    for (;;) {
      const nextKeys = heads.flatMap(({ next }) => (next.done ? [] : [next.value.sk]))
      const [first] = nextKeys.sort()
      if (first === undefined) return
      const domain = domainIn(first)
      const items: SessionItem[] = []
      for (const head of heads)
        while (!head.next.done && domainIn(head.next.value.sk) === domain) {
          items.push(head.next.value)
          head.next = await head.items.next()
        }
      yield { domain, policies: addUp(items) }
    }
  }

  async #add(count: CountedSessions, random: number, signal: AbortSignal): Promise<void> {
    const { day, domain, policy, failure, sessions } = count
    const shard = { pk: sessionsPartition(day, random), domain, day, signal }
    const counter = failure === null ? 'successes' : 'failures'
    const id = await this.#count(shard, counter, sessions, [
      { id: policyId(policy), described: { policy } },
      { id: `other-${policy.type}`, described: { policy: otherPolicy(policy, domain) } },
    ])
    if (failure === null) return
    await this.#count(shard, 'sessions', sessions, [
      { id: `${id}#${failureId(failure)}`, described: { failure } },
      { id: `${id}#other-${failure.result}`, described: { failure: otherFailure(failure) } },
    ])
  }

  /** Adds to the preferred counter if it exists or the limit allows a new one, otherwise to the other counter. */
  async #count(
    shard: CounterShard,
    counter: string,
    sessions: number,
    [preferred, other]: [Counter, Counter],
  ): Promise<string> {
    const { pk, domain } = shard
    const isCounted = await this.#update(shard, {
      Key: { pk, sk: `${domain}#${preferred.id}` },
      UpdateExpression: 'ADD #counter :sessions',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: { '#counter': counter },
      ExpressionAttributeValues: { ':sessions': sessions },
    })
    if (isCounted) return preferred.id
    const counterToAdd = (await this.#isBelowLimit(shard)) ? preferred : other
    await this.#update(shard, {
      Key: { pk, sk: `${domain}#${counterToAdd.id}` },
      UpdateExpression: 'SET described = :described, expiresAt = :expiresAt ADD #counter :sessions',
      ExpressionAttributeNames: { '#counter': counter },
      ExpressionAttributeValues: {
        ':described': counterToAdd.described,
        ':expiresAt': itemExpiry(shard.day),
        ':sessions': sessions,
      },
    })
    return counterToAdd.id
  }

  #isBelowLimit(shard: CounterShard): Promise<boolean> {
    return this.#update(shard, {
      Key: { pk: shard.pk, sk: `${shard.domain}#` },
      UpdateExpression: 'SET expiresAt = :expiresAt ADD places :one',
      ConditionExpression: 'attribute_not_exists(places) OR places < :limit',
      ExpressionAttributeValues: { ':one': 1, ':limit': maxCounters, ':expiresAt': itemExpiry(shard.day) },
    })
  }

  /** @returns false when the condition does not hold */
  #update(
    { signal }: CounterShard,
    input: Omit<ConstructorParameters<typeof UpdateCommand>[0], 'TableName'>,
  ): Promise<boolean> {
    const command = new UpdateCommand({ ...input, TableName: this.#table })
    return unlessConditionFails(this.#documents.send(command, { abortSignal: signal }))
  }

  #items(pk: string): AsyncGenerator<SessionItem> {
    return queryItems<SessionItem>(this.#documents, {
      TableName: this.#table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      ConsistentRead: true,
    })
  }
}

interface CounterShard {
  pk: string
  domain: string
  day: string
  signal: AbortSignal
}

interface Counter {
  id: string
  described: { policy: AppliedPolicy } | { failure: Failure }
}

/** `sk` is `DOMAIN#POLICY`, `DOMAIN#POLICY#FAILURE`, or `DOMAIN#` for the number of the domain's counters. */
interface SessionItem {
  sk: string
  described?: { policy?: AppliedPolicy; failure?: Failure }
  successes?: number
  failures?: number
  sessions?: number
}

const otherPolicy = ({ type }: AppliedPolicy, domain: string): AppliedPolicy => ({
  type,
  domain,
  strings: [],
  mxHosts: [],
})

const otherFailure = ({ result }: Failure): Failure => ({ result, host: null, ip: null, reason: null })

const itemExpiry = (day: string): number => dayBounds(day).end + retentionDays * daySeconds

const domainIn = (sk: string): string => sk.slice(0, sk.indexOf('#'))

function addUp(items: readonly SessionItem[]): PolicyCounts[] {
  const policies = new Map<string, PolicyCounts>()
  const details = new Map<string, PolicyCounts['details'][number]>()
  for (const { sk, described, successes = 0, failures = 0 } of items) {
    if (described?.policy === undefined) continue
    const counts = policies.get(sk) ?? { policy: described.policy, successes: 0, failures: 0, details: [] }
    counts.successes += successes
    counts.failures += failures
    policies.set(sk, counts)
  }
  for (const { sk, described, sessions = 0 } of items) {
    const policy = policies.get(sk.slice(0, sk.lastIndexOf('#')))
    if (described?.failure === undefined || policy === undefined) continue
    const existingDetail = details.get(sk)
    if (existingDetail) existingDetail.sessions += sessions
    else {
      const detail = { failure: described.failure, sessions }
      details.set(sk, detail)
      policy.details.push(detail)
    }
  }
  for (const { details } of policies.values()) details.sort((one, other) => other.sessions - one.sessions)
  return [...policies.values()]
}
