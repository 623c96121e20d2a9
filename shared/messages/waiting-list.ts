/**
 * Reads the index `byWaiting`: the recipients that are deferred, and what they wait for. The index may be a moment old,
 * so a row only says which items to read. Mail that an earlier version deferred has no row until its next decision.
 */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { byWaiting } from '../contract/messages-index.ts'
import { getItems } from '../dynamodb/get-items.ts'
import { queryItems, queryPages } from '../dynamodb/query-items.ts'
import { mergeNewestFirst } from './history.ts'
import { findMessages, type MatchingMessages } from './matching-messages.ts'
import { recipientOf } from './message-keys.ts'
import type { RecipientItem } from './recipient-item.ts'
import { partnerOf, type Wait, type WaitingFor, type WaitValues, waitingShards, waitOf } from './waiting.ts'

/** A deferred recipient in the index. */
export interface WaitingRow {
  /** Id of the message. */
  pk: string
  sk: string
  /** Position of the message. All its rows are in one partition. */
  order: string
  sender: string
  connectors: string[]
  wait: Wait
}

type IndexRow = Omit<WaitingRow, 'wait'> & { wait: WaitValues }

const toWaitingRow = (row: IndexRow): WaitingRow => ({ ...row, wait: waitOf(row.wait, row.connectors) })

/** The position of a message in the list, newest first. The next page continues with smaller positions. */
export interface WaitingPosition {
  before: string
}

const rowsPerQuery = 500
/** Rows that are read for one page of a search. */
const rowsPerPage = 5000
/** A search queries all partitions at the same time. */
const rowsPerQueryOfSearch = Math.ceil(rowsPerPage / waitingShards().length)

export const waitingForOf = (row: WaitingRow): WaitingFor => ({
  partner: partnerOf(row.sender, recipientOf(row), row.wait.reason),
  direction: row.wait.direction,
  reason: row.wait.reason,
  connector: row.wait.connector,
})

export class WaitingList {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Finds messages with a matching row, newest first. So mail that is deferred while a client reads page by page is in no
   * later page.
   * @param from end of the previous search, null for the first
   */
  find(
    matches: (row: WaitingRow) => boolean,
    from: WaitingPosition | null,
    limit: number,
  ): Promise<MatchingMessages<WaitingPosition>> {
    const shards = waitingShards().map((shard) =>
      queryItems<IndexRow>(this.#documents, this.#query(shard, from, rowsPerQueryOfSearch)),
    )
    const matched = async function* () {
      for await (const row of mergeNewestFirst(shards)) {
        const { order, pk: id } = row
        const isMatch = matches(toWaitingRow(row))
        yield { order, id, position: { before: order }, scanned: 1, checked: 0, isMatch }
      }
    }
    return findMessages(matched(), limit, { maxScanned: rowsPerPage, maxChecked: rowsPerPage })
  }

  /**
   * Calls `handle` with rows of recipients whose items are deferred, in no order.
   * @param isOver whether to stop; called before each query
   * @returns whether all rows were read
   */
  async read(handle: (rows: readonly WaitingRow[]) => void, isOver: () => boolean): Promise<boolean> {
    const isRead = await Promise.all(
      waitingShards().map(async (shard) => {
        for await (const { items, lastKey } of queryPages<IndexRow>(
          this.#documents,
          this.#query(shard, null, rowsPerQuery),
        )) {
          handle(await this.#deferred(items))
          if (lastKey !== null && isOver()) return false
        }
        return true
      }),
    )
    return !isRead.includes(false)
  }

  async #deferred(rows: readonly IndexRow[]): Promise<WaitingRow[]> {
    const keys = rows.map(({ pk, sk }) => ({ pk, sk }))
    const items = await getItems<RecipientItem>(this.#documents, this.#table, keys, {
      ProjectionExpression: 'pk, sk, #state',
      ExpressionAttributeNames: { '#state': 'state' },
    })
    const deferred = new Set(
      items.filter(({ state }) => state === 'Deferred').map(({ pk, sk }) => `${pk} ${sk}`),
    )
    return rows.filter(({ pk, sk }) => deferred.has(`${pk} ${sk}`)).map(toWaitingRow)
  }

  #query(shard: string, from: WaitingPosition | null, Limit: number) {
    return {
      TableName: this.#table,
      IndexName: byWaiting,
      KeyConditionExpression: `#waiting = :waiting${from === null ? '' : ' AND #order < :before'}`,
      ExpressionAttributeNames: { '#waiting': 'waiting', ...(from !== null && { '#order': 'order' }) },
      ExpressionAttributeValues: { ':waiting': shard, ...(from !== null && { ':before': from.before }) },
      ScanIndexForward: false,
      Limit,
    }
  }
}
