/**
 * Limits the DSNs to senders that nothing identifies. The attack: messages with a forged sender to many mailboxes that
 * do not exist; their DSNs reach a victim. The defence: the DSNs of a message are together no larger than the message,
 * and a sender's domain gets a limited number of DSNs per hour. Not covered: an attacker who sends as many octets as the
 * victim gets.
 */
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { unlessConditionFails } from '../../shared/dynamodb/unless-condition-fails.ts'
import { hourOf } from '../../shared/events/hours.ts'
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

  /** The octets of the other DSNs that were counted for a message. */
  async sentOctets(messageId: string, dsn: string): Promise<number> {
    const item = await this.#read(dsnOctetsKey(messageId))
    return (item.octets ?? 0) - (item[countedName(dsn)] ?? 0)
  }

  /**
   * Counts a DSN of a message, unless the sum would exceed the maximum. A repeated job counts its DSN once.
   * @param expiresAt seconds since the epoch
   * @returns whether the DSN is counted
   */
  takeOctets(
    messageId: string,
    dsn: string,
    octets: number,
    maxOctets: number,
    expiresAt: number,
  ): Promise<boolean> {
    return this.#addOnce(dsnOctetsKey(messageId), 'octets', dsn, octets, maxOctets, expiresAt)
  }

  /** Counts a DSN to a domain in this hour. A repeated job counts its DSN once. @returns whether the DSN is counted */
  takeRate(domain: string, dsn: string, now: Date, expiresAt: number): Promise<boolean> {
    return this.#addOnce(dsnRateKey(domain, hourOf(now.getTime())), 'dsns', dsn, 1, maxDsnsPerHour, expiresAt)
  }

  /**
   * Counts a query of SPF in this hour. The client counts too, because it can name a new domain in each message, and
   * name servers that do not answer occupy a worker.
   * @returns whether the query was counted
   */
  async takeQuery(domain: string, ip: string, now: Date, expiresAt: number): Promise<boolean> {
    for (const counted of [clientNetwork(ip), domain]) {
      const key = dsnRateKey(counted, hourOf(now.getTime()))
      if (!(await this.#add(key, 'queries', 1, maxQueriesPerHour, expiresAt))) return false
    }
    return true
  }

  /** When the write fails or its answer is lost, the DSN may have been counted before. */
  async #addOnce(
    key: object,
    attribute: string,
    dsn: string,
    added: number,
    maximum: number,
    expiresAt: number,
  ): Promise<boolean> {
    const name = countedName(dsn)
    if (await this.#add(key, attribute, added, maximum, expiresAt, name)) return true
    return (await this.#read(key))[name] !== undefined
  }

  /** @param once an attribute that is set by the first write: while it exists, nothing is counted */
  #add(
    key: object,
    attribute: string,
    added: number,
    maximum: number,
    expiresAt: number,
    once: string | null = null,
  ): Promise<boolean> {
    if (added > maximum) return Promise.resolve(false)
    const isWithin = '(attribute_not_exists(#counted) OR #counted <= :before)'
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: key,
          UpdateExpression: `ADD #counted :added SET expiresAt = :expiresAt${once === null ? '' : ', #once = :added'}`,
          ConditionExpression: once === null ? isWithin : `attribute_not_exists(#once) AND ${isWithin}`,
          ExpressionAttributeNames: { '#counted': attribute, ...(once !== null && { '#once': once }) },
          ExpressionAttributeValues: { ':added': added, ':before': maximum - added, ':expiresAt': expiresAt },
        }),
      ),
    )
  }

  async #read(key: object): Promise<Record<string, number | undefined>> {
    const { Item = {} } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item
  }
}

/** The attribute with what a DSN added to the sum. */
const countedName = (dsn: string): string => `dsn#${dsn}`
