import { Construct } from 'constructs'
import type { Unit } from '../unit.ts'
import { ItemTable } from './item-table.ts'

/** Connectors, accepted domains, and the version that tells readers to reload. */
export class ConnectorsTable extends Construct {
  readonly table: ItemTable

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.table = new ItemTable(this, 'Table')
  }

  /** Lets the unit load a snapshot. */
  grantRead(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'Query')
    this.tell(unit)
  }

  /** Lets the unit ask whether connectors have changed. */
  grantVersion(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['version'] }, 'GetItem')
    this.tell(unit)
  }

  /** Lets the unit read what anybody may know: our certificates, and whether a domain is ours. */
  grantPublic(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['certificates', 'accepted-domain'] }, 'GetItem')
    this.tell(unit)
  }

  /** Lets the unit administer connectors. */
  grantReadWrite(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem')
    this.tell(unit)
  }

  /** Lets the unit read outbound connectors and accepted domains, and write down how a validation went. */
  grantValidation(unit: Unit): void {
    const outbound = 'outbound-connector'
    this.table.grantCallsOn(unit, { partitions: [outbound, 'accepted-domain'] }, 'GetItem', 'Query')
    // It talks to strangers' servers, so what is demanded of them is not its to change.
    this.table.grantCallsOn(
      unit,
      { partitions: [outbound], attributes: ['version', 'validation'] },
      'UpdateItem',
    )
    this.tell(unit)
  }

  /** Lets the unit write down what partners are told of our certificates. */
  grantPublishing(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: ['certificates'] }, 'GetItem', 'PutItem', 'UpdateItem')
    this.tell(unit)
  }

  private tell(unit: Unit): void {
    unit.addEnvironment('CONNECTORS_TABLE', this.table.tableName)
  }
}
