/** Lists unknown certificates, the last presented first. The work for one page is limited. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { byTime } from '../contract/messages-index.ts'
import { type GetOptions, getItems } from '../dynamodb/get-items.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { mergeNewestFirst } from './history.ts'
import {
  type UnknownCertificateKind,
  unknownCertificateBuckets,
  unknownCertificateKey,
} from './message-keys.ts'
import {
  toUnknownCertificate,
  type UnknownCertificate,
  type UnknownCertificateItem,
} from './unknown-certificate-item.ts'

interface IndexRow {
  pk: string
  sk: string
  order: string
}

interface UnknownCertificatePage<Entry> {
  entries: Entry[]
  /** The position at which the next page starts; null on the last page. */
  next: string | null
}

const rowsPerQuery = 100
/** Entries that are read together. */
const maxReads = 100
/**
 * A page ends after this number of octets of JSON: an entry has lists of its connector, and a response of Lambda may have
 * 6 MB, in which each quotation mark of the body is escaped.
 */
const maxOctetsOfPage = 4_000_000
/** A page ends after this number of entries, so that a filter with few matches does not read all. */
const maxRowsOfPage = 500

export class UnknownCertificateList {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** @returns null if there is none, or if it has expired */
  async read(connector: string, fingerprint256: string, now: Date): Promise<UnknownCertificate | null> {
    const key = unknownCertificateKey(connector, fingerprint256)
    // After a dismissal, the answer has it.
    const [item] = await this.#items([key], now, { ConsistentRead: true })
    return item === undefined ? null : toUnknownCertificate(item)
  }

  /**
   * @param kinds of the certificates
   * @param connector id; null for all
   * @param from the position at which the previous page ended; null for the first page
   * @param toEntries describes certificates, and omits those that do not match
   */
  async page<Entry>(
    { kinds, connector }: { kinds: readonly UnknownCertificateKind[]; connector: string | null },
    { from, limit, now }: { from: string | null; limit: number; now: Date },
    toEntries: (certificates: readonly UnknownCertificate[]) => Promise<(Entry | null)[]>,
  ): Promise<UnknownCertificatePage<Entry>> {
    const entries: Entry[] = []
    let octets = 0
    let rows: IndexRow[] = []
    let readCount = 0
    const take = async (): Promise<string | null> => {
      const items = new Map((await this.#items(rows, now)).map((item) => [`${item.pk} ${item.sk}`, item]))
      const found = rows.flatMap((row) => {
        const item = items.get(`${row.pk} ${row.sk}`)
        return item === undefined ? [] : [{ order: row.order, certificate: toUnknownCertificate(item) }]
      })
      rows = []
      const described = await toEntries(found.map(({ certificate }) => certificate))
      for (const [index, { order }] of found.entries()) {
        const entry = described[index]
        if (entry === null || entry === undefined) continue
        entries.push(entry)
        octets += Buffer.byteLength(JSON.stringify(entry))
        if (entries.length === limit || octets >= maxOctetsOfPage) return order
      }
      return null
    }
    for await (const row of connector === null
      ? this.#rows(kinds, from)
      : this.#rowsOfConnector(connector, kinds, from)) {
      rows.push(row)
      readCount += 1
      if (rows.length < Math.min(maxReads, limit) && readCount < maxRowsOfPage) continue
      const end = await take()
      if (end !== null) return { entries, next: end }
      if (readCount >= maxRowsOfPage) return { entries, next: row.order }
    }
    return { entries, next: await take() }
  }

  #rows(kinds: readonly UnknownCertificateKind[], from: string | null): AsyncGenerator<IndexRow> {
    const buckets = kinds.flatMap(unknownCertificateBuckets)
    return mergeNewestFirst(buckets.map((bucket) => this.#bucket(bucket, from)))
  }

  /** The daily limit of notices bounds the items of a connector. */
  async *#rowsOfConnector(
    connector: string,
    kinds: readonly UnknownCertificateKind[],
    from: string | null,
  ): AsyncGenerator<IndexRow> {
    const { pk, sk } = unknownCertificateKey(connector, '')
    const buckets = new Set(kinds.flatMap(unknownCertificateBuckets))
    const rows = await Array.fromAsync(
      queryItems<IndexRow & { bucket: string }>(this.#documents, {
        TableName: this.#table,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
        ProjectionExpression: 'pk, sk, #order, #bucket',
        ExpressionAttributeNames: { '#order': 'order', '#bucket': 'bucket' },
        ExpressionAttributeValues: { ':pk': pk, ':sk': sk },
      }),
    )
    yield* rows
      .filter(({ bucket, order }) => buckets.has(bucket) && (from === null || order < from))
      .sort((first, second) => (first.order < second.order ? 1 : -1))
  }

  #bucket(bucket: string, from: string | null): AsyncGenerator<IndexRow> {
    return queryItems<IndexRow>(this.#documents, {
      TableName: this.#table,
      IndexName: byTime,
      KeyConditionExpression: `#bucket = :bucket${from === null ? '' : ' AND #order < :from'}`,
      ExpressionAttributeNames: { '#bucket': 'bucket', ...(from !== null && { '#order': 'order' }) },
      ExpressionAttributeValues: { ':bucket': bucket, ...(from !== null && { ':from': from }) },
      ScanIndexForward: false,
      Limit: rowsPerQuery,
    })
  }

  async #items(
    rows: readonly { pk: string; sk: string }[],
    now: Date,
    options: GetOptions = {},
  ): Promise<(UnknownCertificateItem & { pk: string; sk: string })[]> {
    const keys = rows.map(({ pk, sk }) => ({ pk, sk }))
    const items = await getItems<UnknownCertificateItem & { pk: string; sk: string }>(
      this.#documents,
      this.#table,
      keys,
      options,
    )
    return items.filter(({ expiresAt }) => expiresAt * 1000 > now.getTime())
  }
}
