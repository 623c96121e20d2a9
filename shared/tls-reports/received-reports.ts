/** Stores the reports received from other organisations in DynamoDB, by the reported day. */
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { dayMs } from '../contract/durations.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { receivedReportKey } from '../transport/keys.ts'
import { ReceivedReport, ReportSummary } from './received-report.ts'

/** The days `since` and `until` are included; format `YYYY-MM-DD`. */
export interface ReportFilter {
  since: string
  until: string
  /** A policy domain. */
  domain: string | null
}

/** The end of a page. The next page continues with greater ids of that day, then with earlier days. */
export interface ReportPosition {
  day: string
  after: string
}

export interface ReportPage {
  reports: ReportSummary[]
  next: ReportPosition | null
}

const reportId = /^(\d{4}-\d\d-\d\d)-[0-9a-f]{20}$/

export class ReceivedReports {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #maxReadPerPage: number

  /** @param maxReadPerPage reports read for one page */
  constructor(documents: DynamoDBDocumentClient, table: string, maxReadPerPage = 200) {
    this.#documents = documents
    this.#table = table
    this.#maxReadPerPage = maxReadPerPage
  }

  /**
   * Replaces an earlier copy of the same report.
   * @param expiresAt seconds since the epoch
   */
  async put(report: ReceivedReport, expiresAt: number): Promise<void> {
    const Item = { ...receivedReportKey(report), ...report, expiresAt }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }))
  }

  /** @returns null when there is no such report, or when it has been deleted */
  async get(id: string): Promise<ReceivedReport | null> {
    const day = reportId.exec(id)?.[1]
    if (day === undefined) return null
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: receivedReportKey({ id, day }) }),
    )
    return Item === undefined ? null : ReceivedReport.strip().parse(Item)
  }

  /**
   * Reads a page of reports, the latest day first.
   * @param from the end of the previous page; null for the first page
   */
  async page(filter: ReportFilter, from: ReportPosition | null, limit: number): Promise<ReportPage> {
    const reports: ReportSummary[] = []
    let readCount = 0
    for (const day of daysOf(filter)) {
      if (from && day > from.day) continue
      let last = from?.day === day ? from.after : ''
      for await (const report of this.#reportsOfDay(day, last)) {
        if (reports.length === limit || readCount >= this.#maxReadPerPage)
          return { reports, next: { day, after: last } }
        readCount += 1
        last = report.id
        if (filter.domain === null || report.domains.includes(filter.domain)) reports.push(report)
      }
    }
    return { reports, next: null }
  }

  async *#reportsOfDay(day: string, after: string): AsyncGenerator<ReportSummary> {
    const { pk } = receivedReportKey({ day, id: '' })
    const fields = Object.keys(ReportSummary.shape)
    const items = queryItems(this.#documents, {
      TableName: this.#table,
      KeyConditionExpression: 'pk = :pk',
      ProjectionExpression: fields.map((field) => `#${field}`).join(', '),
      ExpressionAttributeNames: Object.fromEntries(fields.map((field) => [`#${field}`, field])),
      ExpressionAttributeValues: { ':pk': pk },
      ExclusiveStartKey: after === '' ? undefined : { pk, sk: after },
      Limit: 200,
    })
    for await (const item of items) yield ReportSummary.parse(item)
  }
}

function* daysOf({ since, until }: ReportFilter): Generator<string> {
  for (let at = Date.parse(until); at >= Date.parse(since); at -= dayMs)
    yield new Date(at).toISOString().slice(0, 10)
}
