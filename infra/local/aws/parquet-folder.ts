/** Copies of the Parquet files of tables in a local folder, for DuckDB. */
import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BuildAppOptions } from 'fauxqs'
import type { AthenaTable } from './athena-tables.ts'

/** The objects of the emulator of S3. */
export type ObjectStore = NonNullable<BuildAppOptions['stores']>['s3Store']

export interface LocalFiles {
  readonly files: readonly string[]
  /** Octets of the files. */
  readonly octets: number
}

export class ParquetFolder {
  readonly #folder: string
  readonly #objects: ObjectStore
  /** Paths of the copies of each table. */
  readonly #copies = new Map<AthenaTable, Set<string>>()

  constructor(folder: string, objects: ObjectStore) {
    this.#folder = folder
    this.#objects = objects
  }

  /**
   * Copies the files of a table, unless they are there. Deletes copies of objects that have changed or are deleted.
   * @param isRequired receives the values of the partitions
   */
  async copy(
    table: AthenaTable,
    isRequired: (partitions: Readonly<Record<string, string>>) => boolean,
  ): Promise<LocalFiles> {
    const objects = this.#list(table)
    const copies = this.#copies.get(table) ?? new Set()
    this.#copies.set(table, copies)
    const current = new Set(objects.map(({ path }) => path))
    for (const path of copies)
      if (!current.has(path)) {
        await rm(path)
        copies.delete(path)
      }
    const required = objects.filter(({ partitions }) => isRequired(partitions))
    for (const { path, body } of required) {
      if (copies.has(path)) continue
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, body)
      copies.add(path)
    }
    return {
      files: required.map(({ path }) => path),
      octets: required.reduce((sum, { body }) => sum + body.length, 0),
    }
  }

  #list(table: AthenaTable) {
    const { bucket, prefix, key: pattern } = table
    if (!this.#objects.hasBucket(bucket)) return []
    const { objects } = this.#objects.listObjects(bucket, { prefix, maxKeys: Infinity })
    return objects.flatMap(({ key, etag, body }) => {
      const { groups } = pattern.exec(key) ?? {}
      return groups === undefined
        ? []
        : [{ path: this.#pathOf(table, groups, `${key}\n${etag}`), partitions: groups, body }]
    })
  }

  #pathOf({ name }: AthenaTable, partitions: Readonly<Record<string, string>>, version: string): string {
    const folders = Object.entries(partitions).map(([partition, value]) => `${partition}=${value}`)
    const digest = createHash('sha256').update(version).digest('hex').slice(0, 32)
    return join(this.#folder, 'files', name, ...folders, `${digest}.parquet`)
  }
}
