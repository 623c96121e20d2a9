import { AttributeType, ProjectionType } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { ItemTable } from './item-table.ts'

/** The message trace, and claims: each makes one side effect happen once. Items expire by `expiresAt`. */
export class MessagesTable extends Construct {
  /** The index of messages by time. */
  static readonly byTime = 'byTime'
  readonly table: ItemTable
  private readonly retentionDays: number

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.retentionDays = config.traceRetentionDays
    this.table = new ItemTable(this, 'Table', config, { timeToLiveAttribute: 'expiresAt' })
    this.table.addGlobalSecondaryIndex({
      indexName: MessagesTable.byTime,
      partitionKey: { name: 'bucket', type: AttributeType.STRING },
      sortKey: { name: 'order', type: AttributeType.STRING },
      projectionType: ProjectionType.INCLUDE,
      // Attributes by which the list of messages is filtered.
      nonKeyAttributes: ['sender', 'state', 'connectors'],
    })
  }

  /** Lets the unit write claims and read their results. */
  grantClaims(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'PutItem', 'UpdateItem')
    unit.addEnvironment('TRACE_RETENTION_DAYS', String(this.retentionDays))
    this.setTableEnvironment(unit)
  }

  /** Lets the unit write claims, and write and read the trace. */
  grantTrace(unit: Unit): void {
    this.table.grantCalls(unit, 'BatchGetItem')
    this.grantClaims(unit)
  }

  /** Lets the unit read messages by id and by time. */
  grantHistory(unit: Unit): void {
    this.table.grantCalls(unit, 'Query', 'BatchGetItem')
    this.table.grantIndexQuery(unit, MessagesTable.byTime)
    this.setTableEnvironment(unit)
  }

  /** Lets the unit record that an administrator releases or returns a recipient. */
  grantAdministratorRequests(unit: Unit): void {
    const attributes = ['state', 'requirement', 'released', 'returned']
    this.table.grantCallsOn(unit, { attributes }, 'UpdateItem')
  }

  /** Lets the unit store rejected sessions. */
  grantRejected(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'rejected#', 'BatchWriteItem')
    unit.addEnvironment('TRACE_RETENTION_DAYS', String(this.retentionDays))
    this.setTableEnvironment(unit)
  }

  /** Lets the unit list recipients by time, and read their states. */
  grantReconciliation(unit: Unit): void {
    this.table.grantCalls(unit, 'BatchGetItem')
    this.table.grantIndexQuery(unit, MessagesTable.byTime)
    this.setTableEnvironment(unit)
  }

  private setTableEnvironment(unit: Unit): void {
    unit.addEnvironment('MESSAGES_TABLE', this.table.tableName)
  }
}
