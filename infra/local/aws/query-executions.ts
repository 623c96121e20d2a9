/** Runs queries of Athena one after another, and keeps their states and results. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AthenaDefinitions, S3Folder } from './athena-tables.ts'
import { DuckDbQuery, type ResultColumn } from './duckdb-query.ts'
import { type ObjectStore, ParquetFolder } from './parquet-folder.ts'
import { requiredDays } from './required-days.ts'

export interface QueryExecution {
  readonly id: string
  readonly sql: string
  readonly database: string
  readonly workgroup: string
  /** The object with the result. */
  readonly result: { readonly bucket: string; readonly key: string }
  state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'
  /** Why it failed. */
  reason: string | null
  /** Empty before it has succeeded. */
  columns: readonly ResultColumn[]
  /** Octets of the files that it read. */
  scannedOctets: number
  readonly submittedAt: Date
  completedAt: Date | null
}

export interface Query {
  readonly sql: string
  readonly database: string
  readonly workgroup: string
}

export class QueryExecutions {
  readonly #objects: ObjectStore
  readonly #executions = new Map<string, QueryExecution>()
  #definitions: AthenaDefinitions = { tables: [], workgroups: new Map() }
  /** The folder for DuckDB, and the files in it; null before the first query. */
  #local: { readonly folder: string; readonly files: ParquetFolder } | null = null
  #parser: Promise<DuckDbQuery> | null = null
  #running: { readonly execution: QueryExecution; readonly query: DuckDbQuery } | null = null
  #last: Promise<void> = Promise.resolve()

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  setDefinitions(definitions: AthenaDefinitions): void {
    this.#definitions = definitions
  }

  /** @returns the folder of the results; null if there is no workgroup of this name */
  resultsOf(workgroup: string): S3Folder | null {
    return this.#definitions.workgroups.get(workgroup) ?? null
  }

  get(id: string): QueryExecution | null {
    return this.#executions.get(id) ?? null
  }

  /**
   * Adds a query to the queue.
   * @throws SqlSyntaxError
   */
  async start({ sql, database, workgroup }: Query, { bucket, prefix }: S3Folder): Promise<QueryExecution> {
    const { folder } = this.#openLocal()
    this.#parser ??= DuckDbQuery.open(folder)
    const tree = await (await this.#parser).parse(sql)
    const id = randomUUID()
    const execution: QueryExecution = {
      id,
      sql,
      database,
      workgroup,
      result: { bucket, key: `${prefix}${id}.csv` },
      state: 'QUEUED',
      reason: null,
      columns: [],
      scannedOctets: 0,
      submittedAt: new Date(),
      completedAt: null,
    }
    this.#executions.set(id, execution)
    this.#last = this.#last.then(() => this.#run(execution, tree))
    return execution
  }

  stop(execution: QueryExecution): void {
    if (execution.completedAt !== null) return
    end(execution, 'CANCELLED')
    if (this.#running?.execution === execution) this.#running.query.interrupt()
  }

  /** @returns the CSV of a result; null if its object was deleted */
  read({ result: { bucket, key } }: QueryExecution): Buffer | null {
    try {
      return this.#objects.getObject(bucket, key).body
    } catch {
      return null
    }
  }

  async close(): Promise<void> {
    for (const execution of this.#executions.values()) this.stop(execution)
    await this.#last
    const parser = await this.#parser?.catch(() => null)
    parser?.close()
    if (this.#local !== null) await rm(this.#local.folder, { recursive: true, force: true })
  }

  #openLocal() {
    if (this.#local !== null) return this.#local
    const folder = mkdtempSync(join(tmpdir(), 'mailflow-athena-'))
    // The folder contains addresses, so it is removed even when the process exits early.
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    this.#local = { folder, files: new ParquetFolder(folder, this.#objects) }
    return this.#local
  }

  async #run(execution: QueryExecution, tree: unknown): Promise<void> {
    if (execution.state !== 'QUEUED') return
    execution.state = 'RUNNING'
    try {
      await this.#answer(execution, tree)
      end(execution, 'SUCCEEDED')
    } catch (error) {
      // Further lines of DuckDB's message repeat the SQL.
      const [reason = ''] = (error as Error).message.split('\n')
      if (execution.completedAt === null) execution.reason = reason
      end(execution, 'FAILED')
    }
  }

  async #answer(execution: QueryExecution, tree: unknown): Promise<void> {
    const { folder, files } = this.#openLocal()
    const query = await DuckDbQuery.open(folder)
    const csv = join(folder, `${execution.id}.csv`)
    this.#running = { execution, query }
    try {
      const tables = []
      for (const table of this.#definitions.tables.filter(
        ({ database }) => database === execution.database,
      )) {
        const isRequired = requiredDays(tree, table.name)
        const copies = await files.copy(table, ({ day = '' }) => isRequired(day))
        execution.scannedOctets += copies.octets
        tables.push({ table, files: copies.files })
      }
      await query.createTables(execution.database, tables)
      if (execution.completedAt !== null) return
      execution.columns = await query.writeCsv(execution.sql, csv)
      const { bucket, key } = execution.result
      const header = execution.columns.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(',')
      const body = Buffer.concat([Buffer.from(`${header}\n`), await readFile(csv)])
      if (execution.completedAt === null) this.#objects.putObject(bucket, key, body, 'text/csv')
    } finally {
      this.#running = null
      query.close()
      await rm(csv, { force: true })
    }
  }
}

function end(execution: QueryExecution, state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED'): void {
  if (execution.completedAt !== null) return
  execution.state = state
  execution.completedAt = new Date()
}
