import { AttributeType, BillingMode, Table, TableEncryption, type TableProps } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import type { Config } from '../config.ts'
import { encryptionKey, grantKeyUse } from '../encryption-key.ts'
import type { Unit } from '../unit.ts'
import { retained } from './retained.ts'

/**
 * Write units per second of a new table or index
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html).
 */
const initialWriteUnits = 4000

/** @returns what a table or index needs to carry mail from the first second; nothing when a new one carries it */
export function warmWrites(config: Config, unitsPerMessage: number): Pick<TableProps, 'warmThroughput'> {
  const writeUnitsPerSecond = Math.ceil(config.warmMessagesPerSecond * unitsPerMessage)
  return writeUnitsPerSecond > initialWriteUnits ? { warmThroughput: { writeUnitsPerSecond } } : {}
}

/**
 * A DynamoDB table with the keys `pk` and `sk`, billed per request. By default it can be restored to any second of the
 * last 35 days.
 */
export class ItemTable extends Table {
  private readonly config: Config

  constructor(scope: Construct, id: string, config: Config, props: Partial<TableProps> = {}) {
    const key = encryptionKey(scope, config)
    super(scope, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      ...(key && { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: key }),
      deletionProtection: config.deletionProtection,
      removalPolicy: retained,
      ...props,
    })
    this.config = config
  }

  /** Grants calls on all items of the table, but on no index. */
  grantCalls(unit: Unit, ...calls: readonly DynamoDbCall[]): void {
    this.allow(unit, this.tableArn, calls)
  }

  /** Grants calls on the items of some partitions, or of those with a prefix, on some attributes only, or both. */
  grantCallsOn(
    unit: Unit,
    {
      partitions,
      prefix,
      attributes,
    }: { partitions?: readonly string[]; prefix?: string; attributes?: readonly string[] },
    ...calls: readonly DynamoDbCall[]
  ): void {
    this.allow(unit, this.tableArn, calls, {
      'ForAllValues:StringEquals': {
        ...(partitions && { 'dynamodb:LeadingKeys': partitions }),
        ...(attributes && { 'dynamodb:Attributes': ['pk', 'sk', ...attributes] }),
      },
      ...(prefix !== undefined && {
        'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${prefix}*`] },
      }),
      // UpdateItem could otherwise return attributes that are not in `attributes`.
      ...(attributes && {
        StringEqualsIfExists: { 'dynamodb:ReturnValues': ['NONE', 'UPDATED_OLD', 'UPDATED_NEW'] },
      }),
    })
  }

  /** Grants calls on the items of partitions whose keys have this prefix. */
  grantCallsUnder(unit: Unit, prefix: string, ...calls: readonly DynamoDbCall[]): void {
    this.allow(unit, this.tableArn, calls, {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${prefix}*`] },
    })
  }

  /** Lets the unit query one index. */
  grantIndexQuery(unit: Unit, index: string): void {
    this.allow(unit, `${this.tableArn}/index/${index}`, ['Query'])
  }

  private allow(
    unit: Unit,
    resource: string,
    calls: readonly DynamoDbCall[],
    conditions: Record<string, unknown> = {},
  ): void {
    const actions = calls.map((call) => `dynamodb:${call}`)
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions, resources: [resource], conditions }),
    )
    // DynamoDB decrypts the key of the table on behalf of each reader and writer.
    grantKeyUse(unit, this.config, 'dynamodb', 'Decrypt', 'DescribeKey')
  }
}

type DynamoDbCall =
  | 'GetItem'
  | 'BatchGetItem'
  | 'Query'
  | 'Scan'
  | 'PutItem'
  | 'BatchWriteItem'
  | 'UpdateItem'
  | 'DeleteItem'
