/**
 * Emulates Athena: the calls for one query, answered by DuckDB from the Parquet files in the emulator of S3. Errors and
 * results are as Athena gives them (https://docs.aws.amazon.com/athena/latest/APIReference/).
 */
import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import * as z from 'zod'
import type { AthenaDefinitions } from './athena-tables.ts'
import { SqlSyntaxError } from './duckdb-query.ts'
import type { ObjectStore } from './parquet-folder.ts'
import { type QueryExecution, QueryExecutions } from './query-executions.ts'
import { readResultRows } from './result-rows.ts'

const Start = z.object({
  QueryString: z.string().min(1).max(262_144),
  ClientRequestToken: z.string().min(32).max(128),
  WorkGroup: z.string().default('primary'),
  QueryExecutionContext: z.object({ Database: z.string() }),
})
const Id = z.object({ QueryExecutionId: z.string() })
const Results = Id.extend({
  MaxResults: z.int().min(1).max(1000).default(1000),
  NextToken: z.string().regex(/^\d+$/).optional(),
})

/** The error of Athena for a request that it refuses. */
class InvalidRequestException extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export class AthenaEmulator {
  readonly server: Server
  readonly #executions: QueryExecutions
  /** The queries by their tokens. */
  readonly #tokens = new Map<string, { request: string; execution: Promise<QueryExecution> }>()

  constructor(objects: ObjectStore) {
    this.#executions = new QueryExecutions(objects)
    this.server = createServer(async (request, response) => {
      const respond = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
      try {
        const [, call = ''] = String(request.headers['x-amz-target']).split('.')
        respond(200, await this.#handle(call, await json(request).catch(() => null)))
      } catch (error) {
        const { message } = error as Error
        if (error instanceof InvalidRequestException)
          respond(400, { __type: 'InvalidRequestException', AthenaErrorCode: error.code, Message: message })
        else respond(500, { __type: 'InternalServerException', Message: message })
      }
    })
  }

  /** Sets the tables and workgroups. Before, there are none. */
  setDefinitions(definitions: AthenaDefinitions): void {
    this.#executions.setDefinitions(definitions)
  }

  /** Cancels running queries, and deletes copies of files. */
  close(): Promise<void> {
    return this.#executions.close()
  }

  async #handle(call: string, input: unknown): Promise<object> {
    switch (call) {
      case 'StartQueryExecution':
        return { QueryExecutionId: (await this.#start(parse(Start, input))).id }
      case 'GetQueryExecution':
        return { QueryExecution: describe(this.#find(parse(Id, input))) }
      case 'GetQueryResults':
        return this.#results(parse(Results, input))
      case 'StopQueryExecution':
        this.#executions.stop(this.#find(parse(Id, input)))
        return {}
      default:
        throw new InvalidRequestException('INVALID_INPUT', `${call} is not supported by the local runner.`)
    }
  }

  /** A request that is repeated with its token starts one query. */
  #start(input: z.output<typeof Start>): Promise<QueryExecution> {
    const { ClientRequestToken: token, ...query } = input
    const request = JSON.stringify(query)
    const started = this.#tokens.get(token)
    if (started !== undefined && started.request !== request)
      throw new InvalidRequestException('INVALID_INPUT', 'Idempotent parameters do not match')
    if (started !== undefined) return started.execution
    const execution = this.#startNew(input)
    this.#tokens.set(token, { request, execution })
    return execution.catch((error) => {
      this.#tokens.delete(token)
      throw error
    })
  }

  async #startNew(input: z.output<typeof Start>): Promise<QueryExecution> {
    const { QueryString: sql, WorkGroup: workgroup, QueryExecutionContext } = input
    const results = this.#executions.resultsOf(workgroup)
    if (results === null)
      throw new InvalidRequestException('INVALID_INPUT', `WorkGroup ${workgroup} is not found.`)
    try {
      return await this.#executions.start(
        { sql, workgroup, database: QueryExecutionContext.Database },
        results,
      )
    } catch (error) {
      if (error instanceof SqlSyntaxError) throw new InvalidRequestException('MALFORMED_QUERY', error.message)
      throw error
    }
  }

  #find({ QueryExecutionId: id }: z.output<typeof Id>): QueryExecution {
    const execution = this.#executions.get(id)
    if (execution === null)
      throw new InvalidRequestException('INVALID_INPUT', `QueryExecution ${id} was not found`)
    return execution
  }

  /** The first row of the first page holds the names of the columns. A token is the first octet of a page. */
  #results(input: z.output<typeof Results>): object {
    const execution = this.#find(input)
    const { state, columns } = execution
    if (state !== 'SUCCEEDED')
      throw new InvalidRequestException('INVALID_QUERY_EXECUTION_STATE', unfinishedMessage(state))
    const csv = this.#executions.read(execution)
    if (csv === null) throw new InvalidRequestException('INVALID_INPUT', 'Could not find results')
    const { rows, next } = readResultRows(csv, Number(input.NextToken ?? 0), input.MaxResults)
    return {
      UpdateCount: 0,
      ResultSet: {
        ResultSetMetadata: {
          ColumnInfo: columns.map(({ name, type }) => ({ Name: name, Label: name, Type: type })),
        },
        Rows: rows.map((values) => ({
          Data: values.map((value) => (value === null ? {} : { VarCharValue: value })),
        })),
      },
      ...(next !== null && { NextToken: String(next) }),
    }
  }
}

/** @throws InvalidRequestException */
function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new InvalidRequestException('INVALID_INPUT', z.prettifyError(parsed.error))
}

const unfinishedMessage = (state: QueryExecution['state']): string =>
  state === 'QUEUED' || state === 'RUNNING'
    ? `Query has not yet finished. Current state: ${state}`
    : `Query did not finish successfully. Final query state: ${state}`

const seconds = (time: Date): number => time.getTime() / 1000

function describe(execution: QueryExecution): object {
  const { id, sql, database, workgroup, result, state, reason, submittedAt, completedAt } = execution
  return {
    QueryExecutionId: id,
    Query: sql,
    StatementType: 'DML',
    ResultConfiguration: { OutputLocation: `s3://${result.bucket}/${result.key}` },
    QueryExecutionContext: { Database: database },
    WorkGroup: workgroup,
    Status: {
      State: state,
      ...(reason !== null && { StateChangeReason: reason }),
      SubmissionDateTime: seconds(submittedAt),
      ...(completedAt !== null && { CompletionDateTime: seconds(completedAt) }),
    },
    Statistics: {
      DataScannedInBytes: execution.scannedOctets,
      TotalExecutionTimeInMillis: (completedAt ?? new Date()).getTime() - submittedAt.getTime(),
    },
  }
}
