import { Stack } from 'aws-cdk-lib'
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena'
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { type ColumnType, eventColumns } from '../../shared/events/event-columns.ts'
import { type Config, eventTableDays } from '../config.ts'
import type { EventsBucket } from '../storage/events-bucket.ts'
import type { Unit } from '../unit.ts'

/** Types of Hive, in which Glue describes columns. */
const columnTypes: Readonly<Record<ColumnType, string>> = {
  timestamp: 'timestamp',
  integer: 'int',
  boolean: 'boolean',
  text: 'string',
}

/** The input of Hive for Parquet (https://docs.aws.amazon.com/athena/latest/ug/parquet-serde.html). */
const parquet = {
  inputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
  outputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
  serdeInfo: { serializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
}

const table = 'events'

const octetsPerGigabyte = 1_000_000_000

/** Searches in the Parquet files of events, by SQL: a table in Glue, and a workgroup of Athena. */
export class EventSearch extends Construct {
  readonly #events: EventsBucket
  readonly #workgroup: string
  readonly #database: string

  constructor(scope: Construct, id: string, config: Config, events: EventsBucket) {
    super(scope, id)
    // Both names must be unique in an account and Region. Glue permits neither capitals nor hyphens.
    const { stackName } = Stack.of(this)
    this.#workgroup = `${stackName}-searches`
    this.#database = `${stackName.toLowerCase().replaceAll('-', '_')}_events`
    this.#events = events
    this.#addTable(config)
    this.#addWorkgroup(config)
  }

  /**
   * Lets the unit search. Athena reads the table and the files, and writes the result, with the unit's permissions. Athena
   * also reads the database `default`
   * (https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html).
   */
  grantSearch(unit: Unit): void {
    const stack = Stack.of(this)
    const arn = (service: string, resource: string, resourceName?: string) =>
      stack.formatArn({ service, resource, ...(resourceName !== undefined && { resourceName }) })
    const catalog = arn('glue', 'catalog')
    const database = arn('glue', 'database', this.#database)
    const allow = (actions: string[], resources: string[]) =>
      unit.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }))
    allow(
      ['athena:StartQueryExecution', 'athena:GetQueryExecution', 'athena:GetQueryResults'],
      [arn('athena', 'workgroup', this.#workgroup)],
    )
    allow(['glue:GetDatabase'], [catalog, database, arn('glue', 'database', 'default')])
    allow(
      ['glue:GetTable', 'glue:GetPartitions'],
      [catalog, database, arn('glue', 'table', `${this.#database}/${table}`)],
    )
    this.#events.grantSearch(unit)
    unit.addEnvironment('ATHENA_WORKGROUP', this.#workgroup)
    unit.addEnvironment('ATHENA_DATABASE', this.#database)
    unit.addEnvironment('ATHENA_TABLE', table)
  }

  #addTable(config: Config): void {
    const { account: catalogId } = Stack.of(this)
    const database = new CfnDatabase(this, 'Database', { catalogId, databaseInput: { name: this.#database } })
    const location = this.#events.bucket.s3UrlForObject('parquet/')
    const partitions = { day: 'string', hour: 'int' }
    new CfnTable(this, 'Table', {
      catalogId,
      databaseName: this.#database,
      tableInput: {
        name: table,
        description: 'What happened to mail and to the configuration',
        tableType: 'EXTERNAL_TABLE',
        parameters: {
          EXTERNAL: 'TRUE',
          classification: 'parquet',
          'projection.enabled': 'true',
          'projection.day.type': 'date',
          'projection.day.format': 'yyyy-MM-dd',
          'projection.day.range': `NOW-${eventTableDays(config)}DAYS,NOW+1DAYS`,
          'projection.hour.type': 'integer',
          'projection.hour.range': '0,23',
          'projection.hour.digits': '2',
          'storage.location.template': `${location}date=\${day}/hour=\${hour}/`,
        },
        partitionKeys: Object.entries(partitions).map(([name, type]) => ({ name, type })),
        storageDescriptor: {
          ...parquet,
          location,
          // Athena requires names in small letters, and finds the columns of the files regardless of case.
          columns: eventColumns.map(({ name, type }) => ({
            name: name.toLowerCase(),
            type: columnTypes[type],
          })),
        },
      },
    }).addResourceDependency(database)
  }

  #addWorkgroup({ encryptionKeyArn, search }: Config): void {
    new CfnWorkGroup(this, 'Workgroup', {
      name: this.#workgroup,
      description: 'Searches in events',
      // Athena otherwise refuses to delete a workgroup in which a query has run.
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        bytesScannedCutoffPerQuery: search.maxScannedGigabytes * octetsPerGigabyte,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        // Each search is in the log of the unit that starts it.
        publishCloudWatchMetricsEnabled: false,
        resultConfiguration: {
          outputLocation: this.#events.bucket.s3UrlForObject('searches/'),
          encryptionConfiguration:
            encryptionKeyArn === undefined
              ? { encryptionOption: 'SSE_S3' }
              : { encryptionOption: 'SSE_KMS', kmsKey: encryptionKeyArn },
        },
      },
    })
  }
}
