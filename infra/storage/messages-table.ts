import { AttributeType, ProjectionType } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import type { Unit } from '../unit.ts'
import { ItemTable } from './item-table.ts'

const byTime = 'byTime'

/** The message trace, and the claims that make an effect happen once. Items expire by `expiresAt`. */
export class MessagesTable extends Construct {
  readonly table: ItemTable

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.table = new ItemTable(this, 'Table', { timeToLiveAttribute: 'expiresAt' })
    this.table.addGlobalSecondaryIndex({
      indexName: byTime,
      partitionKey: { name: 'bucket', type: AttributeType.STRING },
      sortKey: { name: 'order', type: AttributeType.STRING },
      projectionType: ProjectionType.INCLUDE,
      // What the list of messages is filtered by.
      nonKeyAttributes: ['sender', 'recipient', 'state', 'connectors'],
    })
  }

  /** Lets the unit claim effects and write the trace. */
  grantReadWrite(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem')
    this.tell(unit)
  }

  /** Lets the unit look messages up, one by one and by time. */
  grantRead(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'BatchGetItem', 'Query')
    this.table.grantIndexQuery(unit, byTime)
    this.tell(unit)
  }

  private tell(unit: Unit): void {
    unit.addEnvironment('MESSAGES_TABLE', this.table.tableName)
  }
}
