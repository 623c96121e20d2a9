/**
 * Limits the DSNs to senders that nothing identifies. The attack: messages with a forged sender to many mailboxes that
 * do not exist; their DSNs reach a victim. The defence: the DSNs of a message are together no larger than the message,
 * and a sender's domain gets a limited number of DSNs per hour. Not covered: an attacker who sends as many octets as the
 * victim gets.
 */
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { unlessConditionFails } from '../../shared/dynamodb/unless-condition-fails.ts'
import { clientNetwork } from '../../shared/limits/client-network.ts'
import { dsnOctetsKey, dsnRateKey } from '../../shared/messages/message-keys.ts'

/** DSNs per hour to one domain, over all workers. */
export const maxDsnsPerHour = 60
/** Queries of SPF per hour for one domain, and for one client, over all workers. */
export const maxQueriesPerHour = 600

export class DsnLimits {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** The octets of the DSNs that were counted for a message. */
  async sentOctets(messageId: string): Promise<number> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: dsnOctetsKey(messageId), ConsistentRead: true }),
    )
    return Item?.octets ?? 0
  }

  /**
   * Counts a DSN of a message, unless the sum would exceed the maximum.
   * @param expiresAt seconds since the epoch
   * @returns whether the DSN was counted
   */
  takeOctets(messageId: string, octets: number, maxOctets: number, expiresAt: number): Promise<boolean> {
    return this.#add(dsnOctetsKey(messageId), 'octets', octets, maxOctets, expiresAt)
  }

  /** Counts a DSN to a domain in this hour. @returns whether the DSN was counted */
  takeRate(domain: string, now: Date, expiresAt: number): Promise<boolean> {
    return this.#add(dsnRateKey(domain, now.toISOString().slice(0, 13)), 'dsns', 1, maxDsnsPerHour, expiresAt)
  }

  /**
   * Counts a query of SPF in this hour. The client counts too, because it can name a new domain in each message, and
   * name servers that do not answer occupy a worker.
   * @returns whether the query was counted
   */
  async takeQuery(domain: string, ip: string, now: Date, expiresAt: number): Promise<boolean> {
    const hour = now.toISOString().slice(0, 13)
    for (const counted of [clientNetwork(ip), domain])
      if (!(await this.#add(dsnRateKey(counted, hour), 'queries', 1, maxQueriesPerHour, expiresAt)))
        return false
    return true
  }

  #add(key: object, attribute: string, added: number, maximum: number, expiresAt: number): Promise<boolean> {
    if (added > maximum) return Promise.resolve(false)
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: key,
          UpdateExpression: 'ADD #counted :added SET expiresAt = :expiresAt',
          ConditionExpression: 'attribute_not_exists(#counted) OR #counted <= :before',
          ExpressionAttributeNames: { '#counted': attribute },
          ExpressionAttributeValues: { ':added': added, ':before': maximum - added, ':expiresAt': expiresAt },
        }),
      ),
    )
  }
}
