/**
 * Message counts of a connector in a minute, over all tasks. An item per connector and minute has one attribute per
 * counting process. Each writes its own total, so a repeated write counts once and a late one replaces no newer total.
 * The limits: a process does not see what others have not written yet. When the table fails, mail continues and the
 * caller counts alone.
 */
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { rateKey } from './keys.ts'

/** What the other processes have written for a connector and minute. */
export interface OtherCounts {
  /** Messages. */
  messages: number
  counters: number
}

export interface RateTableOptions {
  /** Unique to this process, also over time. Letters, digits, `-` and `_`. */
  counter: string
  /** Milliseconds before a request to the table times out. */
  timeoutMs: number
}

/** Seconds that an item outlives its minute. */
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
   * @param connector id
   * @param minute since 1970
   * @throws when the table fails or times out; the total may have been written
   */
  async report(connector: string, minute: number, taken: number): Promise<OtherCounts> {
    const ownAttribute = attributeName(this.#options.counter)
    const command = new UpdateCommand({
      TableName: this.#table,
      Key: rateKey(connector, minute),
      UpdateExpression: 'SET #own = :taken, expiresAt = :expiresAt',
      // A write that timed out may arrive after the next one.
      ConditionExpression: 'attribute_not_exists(#own) OR #own <= :taken',
      ExpressionAttributeNames: { '#own': ownAttribute },
      ExpressionAttributeValues: { ':taken': taken, ':expiresAt': (minute + 1) * 60 + retentionSeconds },
      ReturnValues: 'ALL_NEW',
    })
    const abortSignal = AbortSignal.timeout(this.#options.timeoutMs)
    const { Attributes = {} } = await this.#documents.send(command, { abortSignal })
    return sumOthers(Attributes, ownAttribute)
  }
}

function sumOthers(attributes: Record<string, unknown>, ownAttribute: string): OtherCounts {
  const otherTotals = Object.entries(attributes).flatMap(([name, taken]) =>
    name.startsWith('by#') && name !== ownAttribute && typeof taken === 'number' ? [taken] : [],
  )
  return { messages: otherTotals.reduce((sum, taken) => sum + taken, 0), counters: otherTotals.length }
}
