/**
 * How many messages a connector took in a minute, over all who take them. One item for each connector and minute has
 * an attribute for each counter, which it alone writes: what is written twice, because the answer was lost, counts
 * once, and what comes late never takes the place of what is newer. The limit: no counter knows of what the others
 * have not written yet, and a table that fails must not keep mail from anybody; the caller counts on by itself.
 */
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { rateKey } from './keys.ts'

/** What the other counters of a connector and minute have written. */
export interface Others {
  /** Messages. */
  taken: number
  counters: number
}

export interface RateTableOptions {
  /** Of this process alone, over all that ever run. Letters, digits, `-` and `_`. */
  counter: string
  /** Milliseconds that the table may take to answer. */
  patienceMs: number
}

/** Seconds that an item outlives its minute. */
const keptSeconds = 3600

const attributeOf = (counter: string): string => `by#${counter}`

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
   * Writes how many messages this process took in all of the minute so far.
   * @param connector id
   * @param minute since 1970
   * @throws when the table fails or does not answer in time; the count may then be written all the same
   */
  async report(connector: string, minute: number, taken: number): Promise<Others> {
    const own = attributeOf(this.#options.counter)
    const command = new UpdateCommand({
      TableName: this.#table,
      Key: rateKey(connector, minute),
      UpdateExpression: 'SET #own = :taken, expiresAt = :expiresAt',
      // A write that was given up may arrive after the next one.
      ConditionExpression: 'attribute_not_exists(#own) OR #own <= :taken',
      ExpressionAttributeNames: { '#own': own },
      ExpressionAttributeValues: { ':taken': taken, ':expiresAt': (minute + 1) * 60 + keptSeconds },
      ReturnValues: 'ALL_NEW',
    })
    const abortSignal = AbortSignal.timeout(this.#options.patienceMs)
    const { Attributes = {} } = await this.#documents.send(command, { abortSignal })
    return othersIn(Attributes, own)
  }
}

function othersIn(attributes: Record<string, unknown>, own: string): Others {
  const others = Object.entries(attributes).flatMap(([name, taken]) =>
    name.startsWith('by#') && name !== own && typeof taken === 'number' ? [taken] : [],
  )
  return { taken: others.reduce((sum, taken) => sum + taken, 0), counters: others.length }
}
