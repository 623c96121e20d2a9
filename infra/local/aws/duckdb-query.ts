/**
 * One query of Athena, run by DuckDB over local Parquet files. DuckDB runs in threads of its own, and reads and writes files
 * of one folder only.
 */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import * as z from 'zod'
import type { AthenaTable, TableColumn } from './athena-tables.ts'

export interface ResultColumn {
  readonly name: string
  /** Type of Athena. */
  readonly type: string
}

/** The SQL has a syntax error, or is not one SELECT statement. */
export class SqlSyntaxError extends Error {}

const settings = [
  // Trino divides integers without a fraction.
  'SET integer_division = true',
  // A query reads the metadata of each file several times.
  'SET parquet_metadata_cache = true',
]

/** Functions of Trino that DuckDB lacks, or that differ in DuckDB. */
const macros = [
  'approx_distinct(x) AS approx_count_distinct(x)',
  'array_join(x, delimiter) AS array_to_string(x, delimiter)',
  // DuckDB counts boundaries between units, Trino whole units.
  'date_diff(unit, earlier, later) AS date_sub(unit, earlier, later)',
  'regexp_like(string, pattern) AS regexp_matches(string, pattern)',
  'slice(x, start, length) AS list_slice(x, start, start + length - 1)',
]

/** Types of DuckDB in Parquet files. */
const fileTypes: Readonly<Record<TableColumn['type'], string>> = {
  string: 'VARCHAR',
  int: 'INTEGER',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMPTZ',
}

const resultTypes: readonly (readonly [duckdb: RegExp, athena: string])[] = [
  [/\[\]$/, 'array'],
  [/^(HUGEINT|BIGINT|UBIGINT|UINTEGER)$/, 'bigint'],
  [/^DECIMAL/, 'decimal'],
]

const Tree = z.union([
  z.object({ error: z.literal(false), statements: z.array(z.unknown()) }),
  z.object({ error: z.literal(true), error_message: z.string() }),
])

export class DuckDbQuery {
  readonly #folder: string
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(folder: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#folder = folder
    this.#instance = instance
    this.#connection = connection
  }

  /** @param folder of Parquet files and results */
  static async open(folder: string): Promise<DuckDbQuery> {
    // The package is large, and most runs of the runner have no query.
    const { DuckDBInstance } = await import('@duckdb/node-api')
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: '1GB',
      temp_directory: join(folder, 'duckdb'),
    })
    const connection = await instance.connect()
    const restrictions = [
      `SET allowed_directories = [${literal(`${folder}/`)}]`,
      'SET autoload_known_extensions = false',
      'SET enable_external_access = false',
      'SET lock_configuration = true',
    ]
    for (const statement of [...settings, ...restrictions]) await connection.run(statement)
    return new DuckDbQuery(folder, instance, connection)
  }

  /**
   * @returns the syntax tree
   * @throws SqlSyntaxError
   */
  async parse(sql: string): Promise<unknown> {
    const result = await this.#connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])
    const tree = Tree.parse(JSON.parse(String(result.getRows()[0]?.[0])))
    if (tree.error) throw new SqlSyntaxError(tree.error_message)
    if (tree.statements.length !== 1) throw new SqlSyntaxError('Only one sql statement is allowed.')
    return tree.statements[0]
  }

  /**
   * Creates the tables of a database, which becomes the default.
   * @param files paths in the folder; the name of each partition's folder is `name=value`
   */
  async createTables(
    database: string,
    tables: readonly { readonly table: AthenaTable; readonly files: readonly string[] }[],
  ): Promise<void> {
    await this.#connection.run(`CREATE SCHEMA ${quoted(database)}`)
    await this.#connection.run(`USE memory.${quoted(database)}`)
    for (const macro of macros) await this.#connection.run(`CREATE MACRO ${macro}`)
    for (const { table, files } of tables) await this.#createTable(table, files)
  }

  async #createTable(table: AthenaTable, files: readonly string[]): Promise<void> {
    const paths = [await this.#fileWithoutRows(table), ...files].map(literal)
    const types = table.partitions.map(({ name, type }) => `${literal(name)}: ${fileTypes[type]}`)
    const columns = [...table.columns, ...table.partitions].map(
      ({ name, type }) => `${columnValue(quoted(name), type)} AS ${quoted(name)}`,
    )
    await this.#connection.run(
      `CREATE VIEW ${quoted(table.name)} AS SELECT ${columns.join(', ')} FROM read_parquet([${paths.join(', ')}],
        union_by_name = true, hive_partitioning = true, hive_types = {${types.join(', ')}})`,
    )
  }

  /** Writes a file with all columns of the table: other files may lack some, and there may be no other file. */
  async #fileWithoutRows({ name, columns, partitions }: AthenaTable): Promise<string> {
    const folders = partitions.map((partition) => `${partition.name}=0`)
    const path = join(this.#folder, 'columns', name, ...folders, 'columns.parquet')
    await mkdir(dirname(path), { recursive: true })
    const values = columns.map((column) => `NULL::${fileTypes[column.type]} AS ${quoted(column.name)}`)
    await this.#connection.run(
      `COPY (SELECT ${values.join(', ')} WHERE false) TO ${literal(path)} (FORMAT parquet)`,
    )
    return path
  }

  /**
   * Runs one SELECT statement, and writes its rows as Athena does, without a header: every value is quoted, and null is
   * empty.
   * @param file a path in the folder
   */
  async writeCsv(sql: string, file: string): Promise<ResultColumn[]> {
    const statement = await this.#connection.prepare(sql)
    const columns = Array.from({ length: statement.columnCount }, (_, index) => ({
      name: statement.columnName(index).toLowerCase(),
      type: resultType(String(statement.columnType(index))),
    }))
    // The last line of the SQL may be a comment.
    const query = sql.replace(/;\s*$/, '')
    await this.#connection.run(
      `COPY (${query}\n) TO ${literal(file)}
        (FORMAT csv, HEADER false, FORCE_QUOTE *, TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S.%g')`,
    )
    return columns
  }

  /** Lets a running query fail. */
  interrupt(): void {
    this.#connection.interrupt()
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`

/**
 * A timestamp of Athena has no time zone, and is UTC in Parquet. A cast would use the time zone of the session, and the
 * extension ICU.
 */
const columnValue = (column: string, type: TableColumn['type']): string =>
  type === 'timestamp' ? `make_timestamp_ms(epoch_ms(${column}))` : column

const resultType = (duckdb: string): string =>
  resultTypes.find(([pattern]) => pattern.test(duckdb))?.[1] ?? duckdb.toLowerCase()
