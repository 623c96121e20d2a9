/**
 * Message counts of a connector per minute, over all tasks. An item per connector and minute has one attribute per
 * counting process. Each process writes its own total, so a repeated write changes nothing, and a late write does not
 * replace a newer total. Not covered: a process does not know the totals that others have not written yet. When the
 * table fails, mail continues, and the caller applies the limit to its own count.
 */
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { rateKey } from './keys.ts'

/**
 * The sum of the totals that the other processes have written for a connector and minute, and the number of these
 * processes.
 */
export interface OtherCounts {
  messages: number
  counters: number
}

export interface RateTableOptions {
  /** Identifies this process; a later process has another identifier. Letters, digits, `-` and `_`. */
  counter: string
  timeoutMs: number
}

/** Time from the end of an item's minute to its expiry. */
const retentionSeconds = 3600

const attributeName = (counter: string): string => `by#${counter}`

export class RateTable {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #options: RateTableOptions

  constructor(documents: DynamoDBDocumentClient, table: string, options: RateTableOptions) {
    this.#documents = documents
    this.#table = table
    this.#options = options
  }

  /**
   * Writes this process's total for the minute so far.
   * @param connector id of the connector
   * @param minute minutes since 1970
   * @throws when the table fails or times out; the total may have been written
   */
  async report(connector: string, minute: number, total: number): Promise<OtherCounts> {
    const ownAttribute = attributeName(this.#options.counter)
    const command = new UpdateCommand({
      TableName: this.#table,
      Key: rateKey(connector, minute),
      UpdateExpression: 'SET #own = :total, expiresAt = :expiresAt',
      // A write that timed out may arrive after the next one.
      ConditionExpression: 'attribute_not_exists(#own) OR #own <= :total',
      ExpressionAttributeNames: { '#own': ownAttribute },
      ExpressionAttributeValues: { ':total': total, ':expiresAt': (minute + 1) * 60 + retentionSeconds },
      ReturnValues: 'ALL_NEW',
    })
    const abortSignal = AbortSignal.timeout(this.#options.timeoutMs)
    const { Attributes = {} } = await this.#documents.send(command, { abortSignal })
    return sumOthers(Attributes, ownAttribute)
  }
}

function sumOthers(attributes: Record<string, unknown>, ownAttribute: string): OtherCounts {
  const otherTotals = Object.entries(attributes).flatMap(([name, total]) =>
    name.startsWith('by#') && name !== ownAttribute && typeof total === 'number' ? [total] : [],
  )
  return { messages: otherTotals.reduce((sum, total) => sum + total, 0), counters: otherTotals.length }
}
