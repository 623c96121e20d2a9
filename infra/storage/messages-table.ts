import { AttributeType, ProjectionType } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import {
  byTime,
  byTimeAttributes,
  byWaiting,
  byWaitingAttributes,
} from '../../shared/contract/messages-index.ts'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { ItemTable, warmWrites } from './item-table.ts'

/** The message trace, and claims: each makes one side effect happen once. Items expire by `expiresAt`. */
export class MessagesTable extends Construct {
  readonly table: ItemTable
  private readonly retentionDays: number

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.retentionDays = config.traceRetentionDays
    this.table = new ItemTable(this, 'Table', config, {
      timeToLiveAttribute: 'expiresAt',
      // Four for a message to one recipient, and room for mail that does not arrive evenly.
      ...warmWrites(config, 5),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false },
    })
    acknowledge(
      this.table,
      'Claims of an earlier time would let mail be sent again, and the table changes with each message, so its backups would cost more than the table.',
      'DDB3',
    )
    this.table.addGlobalSecondaryIndex({
      indexName: byTime,
      partitionKey: { name: 'bucket', type: AttributeType.STRING },
      sortKey: { name: 'order', type: AttributeType.STRING },
      projectionType: ProjectionType.INCLUDE,
      nonKeyAttributes: byTimeAttributes,
      ...warmWrites(config, 1.25),
    })
    this.table.addGlobalSecondaryIndex({
      indexName: byWaiting,
      partitionKey: { name: 'waiting', type: AttributeType.STRING },
      sortKey: { name: 'order', type: AttributeType.STRING },
      projectionType: ProjectionType.INCLUDE,
      nonKeyAttributes: byWaitingAttributes,
      // None for mail that is delivered at once. In an outage, each message enters the index and leaves it.
      ...warmWrites(config, 1),
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

  /** Lets the unit read messages by id and by time, and those that wait. */
  grantHistory(unit: Unit): void {
    this.table.grantCalls(unit, 'Query', 'BatchGetItem')
    for (const index of [byTime, byWaiting]) this.table.grantIndexQuery(unit, index)
    this.setTableEnvironment(unit)
  }

  /** Lets the unit list the recipients that wait. */
  grantWaiting(unit: Unit): void {
    this.table.grantCalls(unit, 'BatchGetItem')
    this.table.grantIndexQuery(unit, byWaiting)
    this.setTableEnvironment(unit)
  }

  /** Lets the unit record that an administrator releases, returns or drops a recipient. */
  grantAdministratorRequests(unit: Unit): void {
    const attributes = ['state', 'waived', 'returned', 'dropped']
    this.table.grantCallsOn(unit, { attributes }, 'UpdateItem')
  }

  /** Lets the unit record that an administrator dismisses an unknown certificate. */
  grantDismissals(unit: Unit): void {
    const attributes = ['dismissal', 'expiresAt']
    this.table.grantCallsOn(unit, { prefix: 'certificates#', attributes }, 'UpdateItem')
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
    this.table.grantIndexQuery(unit, byTime)
    this.setTableEnvironment(unit)
  }

  /** Lets the unit find an address anywhere in the table, and delete or replace it. */
  grantErasing(unit: Unit): void {
    this.table.grantCalls(unit, 'Scan', 'Query', 'PutItem', 'UpdateItem', 'BatchWriteItem')
    this.setTableEnvironment(unit)
  }

  private setTableEnvironment(unit: Unit): void {
    unit.addEnvironment('MESSAGES_TABLE', this.table.tableName)
  }
}
