/**
 * Searches in the Parquet files of events, by SQL. Athena runs them; the local runner answers the same calls. The SQL must
 * be what both understand (`test/infra/local/aws/shared-sql.test.ts`).
 */
import { createHash } from 'node:crypto'
import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  InvalidRequestException,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena'

export type SearchState = 'Running' | 'Succeeded' | 'Failed' | 'Cancelled'

export interface SearchStatus {
  /** What was started. */
  sql: string
  state: SearchState
  /** Why it failed or was cancelled. */
  reason: string | null
  /** Octets that were read, which AWS bills. */
  scannedOctets: number
  /** Milliseconds since the start, or until the end. */
  ms: number
  /** Key of the result in the events bucket: CSV with a header, every value quoted, null empty. */
  resultKey: string
}

export interface SearchPage {
  /** Names in small letters: Athena does not always keep capitals. */
  columns: string[]
  /** Values as text: `2026-11-30 20:00:00.000`, `true`, `[a, b]`. */
  rows: (string | null)[][]
  /** Token of the next page; null on the last. */
  next: string | null
}

/** The most rows of a page, with the header that Athena counts on the first. */
const maxRows = 1000

const states: Readonly<Record<string, SearchState>> = {
  SUCCEEDED: 'Succeeded',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
}

export class EventSearch {
  readonly #athena: Pick<AthenaClient, 'send'>
  readonly #workgroup: string
  readonly #database: string

  constructor(
    athena: Pick<AthenaClient, 'send'>,
    { workgroup, database }: { workgroup: string; database: string },
  ) {
    this.#athena = athena
    this.#workgroup = workgroup
    this.#database = database
  }

  /**
   * Starts a search. A second call with the same token and SQL returns the id of the first.
   * @param token any text
   * @returns the id
   * @throws InvalidRequestException when the SQL has a syntax error, or the token was used with other SQL;
   * TooManyRequestsException when too many searches run
   */
  async start(sql: string, token: string): Promise<string> {
    const { QueryExecutionId: id } = await this.#athena.send(
      new StartQueryExecutionCommand({
        QueryString: sql,
        // Athena requires 32 to 128 characters.
        ClientRequestToken: createHash('sha256').update(token).digest('hex'),
        WorkGroup: this.#workgroup,
        QueryExecutionContext: { Database: this.#database },
      }),
    )
    if (id === undefined) throw new Error('the response to StartQueryExecution has no id')
    return id
  }

  /** @returns null if Athena has no search of this id; it keeps searches for 45 days */
  async status(id: string): Promise<SearchStatus | null> {
    const execution = await this.#execution(id)
    if (execution === null) return null
    const { Query, Status, Statistics, ResultConfiguration } = execution
    return {
      sql: Query ?? '',
      state: states[Status?.State ?? ''] ?? 'Running',
      reason: Status?.StateChangeReason ?? null,
      scannedOctets: Statistics?.DataScannedInBytes ?? 0,
      ms: Statistics?.TotalExecutionTimeInMillis ?? 0,
      resultKey: (ResultConfiguration?.OutputLocation ?? '').replace(/^s3:\/\/[^/]+\//, ''),
    }
  }

  async #execution(id: string) {
    try {
      const { QueryExecution } = await this.#athena.send(
        new GetQueryExecutionCommand({ QueryExecutionId: id }),
      )
      return QueryExecution ?? null
    } catch (error) {
      if (error instanceof InvalidRequestException) return null
      throw error
    }
  }

  /**
   * Returns a page of the result of a search that succeeded.
   * @param token null for the first page
   * @param limit number of rows; Athena returns at most 999 on the first page, and 1000 on the others
   * @throws InvalidRequestException before the search has succeeded, and when its result has expired
   */
  async page(id: string, token: string | null, limit = maxRows): Promise<SearchPage> {
    const header = token === null ? 1 : 0
    const { ResultSet, NextToken } = await this.#athena.send(
      new GetQueryResultsCommand({
        QueryExecutionId: id,
        MaxResults: Math.min(limit + header, maxRows),
        ...(token !== null && { NextToken: token }),
      }),
    )
    const columns = ResultSet?.ResultSetMetadata?.ColumnInfo ?? []
    const rows = (ResultSet?.Rows ?? []).slice(header)
    return {
      columns: columns.map(({ Name = '' }) => Name.toLowerCase()),
      rows: rows.map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue ?? null)),
      next: NextToken ?? null,
    }
  }
}
