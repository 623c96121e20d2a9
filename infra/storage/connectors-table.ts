import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { ItemTable } from './item-table.ts'

/** Connectors, accepted domains, published certificates, and the version, by which readers detect a change. */
export class ConnectorsTable extends Construct {
  readonly table: ItemTable

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.table = new ItemTable(this, 'Table', config)
  }

  /** Lets the unit load a snapshot, and read lists of recipients. */
  grantRead(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'Query')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit load a snapshot, but read no list of recipients. */
  grantSnapshot(unit: Unit): void {
    const partitions = ['version', 'inbound-connector', 'outbound-connector', 'accepted-domain']
    this.table.grantCallsOn(unit, { partitions }, 'GetItem', 'Query')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit check whether connectors have changed. */
  grantVersion(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['version'] }, 'GetItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read public data: the published certificates, and whether a domain is accepted. */
  grantPublic(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['certificates', 'accepted-domain'] }, 'GetItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read the changes of connectors and accepted domains. */
  grantChanges(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['changes'] }, 'Query')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit administer connectors. */
  grantReadWrite(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read outbound connectors and accepted domains, and store validation results. */
  grantValidation(unit: Unit): void {
    const outbound = 'outbound-connector'
    this.table.grantCallsOn(unit, { partitions: [outbound, 'accepted-domain'] }, 'GetItem', 'Query')
    // The unit connects to untrusted servers, so it must not change the requirements on them.
    this.table.grantCallsOn(
      unit,
      { partitions: [outbound], attributes: ['version', 'validation'] },
      'UpdateItem',
    )
    this.setTableEnvironment(unit)
  }

  /** Lets the unit publish the certificates of the ingress. */
  grantPublishing(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['certificates'] }, 'GetItem', 'PutItem', 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  private setTableEnvironment(unit: Unit): void {
    unit.addEnvironment('CONNECTORS_TABLE', this.table.tableName)
  }
}
