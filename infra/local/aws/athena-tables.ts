/** Reads the tables of Glue and the workgroups of Athena from the template. */
import * as z from 'zod'
import { parse, type Resolver, resourcesOfType, type Template } from '../template.ts'

const Column = z.object({ Name: z.string(), Type: z.enum(['string', 'int', 'boolean', 'timestamp']) })
const Columns = z.array(Column.transform(({ Name, Type }): TableColumn => ({ name: Name, type: Type })))

export interface TableColumn {
  readonly name: string
  /** Type of Hive. */
  readonly type: 'string' | 'int' | 'boolean' | 'timestamp'
}

/** A folder of S3. */
export interface S3Folder {
  readonly bucket: string
  /** Begins each key. */
  readonly prefix: string
}

/** A table of Parquet files, with partition projection. */
export interface AthenaTable extends S3Folder {
  readonly database: string
  readonly name: string
  readonly columns: readonly TableColumn[]
  readonly partitions: readonly TableColumn[]
  /** Matches a key of the table, with a named group for each partition. */
  readonly key: RegExp
}

export interface AthenaDefinitions {
  readonly tables: readonly AthenaTable[]
  /** Folders of the results by the name of the workgroup. */
  readonly workgroups: ReadonlyMap<string, S3Folder>
}

const TableProperties = z.object({
  DatabaseName: z.string(),
  TableInput: z.object({
    Name: z.string(),
    Parameters: z.object({
      'projection.enabled': z.literal('true'),
      'storage.location.template': z.string(),
    }),
    PartitionKeys: Columns,
    StorageDescriptor: z.object({ Columns: Columns, Location: z.string() }),
  }),
})

const WorkgroupProperties = z.object({
  Name: z.string(),
  WorkGroupConfiguration: z.object({ ResultConfiguration: z.object({ OutputLocation: z.string() }) }),
})

/** @throws StartError when the runner does not support a table or workgroup of the template */
export function readAthenaDefinitions(template: Template, resolver: Resolver): AthenaDefinitions {
  const tables = resourcesOfType(template, 'AWS::Glue::Table').map(([id, raw]) => {
    const { DatabaseName, TableInput } = parse(TableProperties, resolver.resolve(raw), id)
    const { Name, Parameters, PartitionKeys, StorageDescriptor } = TableInput
    return {
      ...folderOf(StorageDescriptor.Location),
      database: DatabaseName,
      name: Name,
      columns: StorageDescriptor.Columns,
      partitions: PartitionKeys,
      key: keyPattern(folderOf(Parameters['storage.location.template']).prefix),
    }
  })
  const workgroups = resourcesOfType(template, 'AWS::Athena::WorkGroup').map(([id, raw]) => {
    const { Name, WorkGroupConfiguration } = parse(WorkgroupProperties, resolver.resolve(raw), id)
    return [Name, folderOf(WorkGroupConfiguration.ResultConfiguration.OutputLocation)] as const
  })
  return { tables, workgroups: new Map(workgroups) }
}

function folderOf(url: string): S3Folder {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(url) ?? []
  return { bucket, prefix }
}

/** @param template a prefix with placeholders, such as `parquet/date=${day}/hour=${hour}/` */
function keyPattern(template: string): RegExp {
  const parts = template.split(/\$\{(\w+)\}/)
  const source = parts.map((part, index) =>
    index % 2 === 0 ? part.replaceAll(/\W/g, '\\$&') : `(?<${part}>[^/]+)`,
  )
  return new RegExp(`^${source.join('')}`)
}
