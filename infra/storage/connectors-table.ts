import { Construct } from 'constructs'
import { versionPartitions } from '../../shared/contract/connectors-version.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { ItemTable } from './item-table.ts'
import { SnapshotBucket } from './snapshot-bucket.ts'

/** Connectors, accepted domains, their changes, published certificates, and the version, by which readers detect a change. */
export class ConnectorsTable extends Construct {
  readonly table: ItemTable
  private readonly snapshots: SnapshotBucket

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.table = new ItemTable(this, 'Table', config)
    this.snapshots = new SnapshotBucket(this, 'Snapshots', config)
  }

  /** Lets the unit read the whole table, with the lists of recipients. */
  grantRead(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'Query')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit load a snapshot, and read lists of recipients. */
  grantSnapshotAndLists(unit: Unit): void {
    this.grantRead(unit)
    this.snapshots.grantRead(unit)
  }

  /** Lets the unit load a snapshot, but read no list of recipients. */
  grantSnapshot(unit: Unit): void {
    const kinds = ['inbound-connector', 'outbound-connector', 'accepted-domain']
    const partitions = [...versionPartitions, 'changes', ...kinds]
    this.table.grantCallsOn(unit, { partitions }, 'GetItem', 'Query')
    this.setTableEnvironment(unit)
    this.snapshots.grantRead(unit)
  }

  /** Lets the unit check whether connectors have changed. */
  grantVersion(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: versionPartitions }, 'GetItem')
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
    this.snapshots.grantRead(unit)
    this.snapshots.grantWrite(unit)
  }

  /** Lets the unit read outbound connectors, accepted domains and published certificates, and store validation results. */
  grantValidation(unit: Unit): void {
    const outbound = 'outbound-connector'
    this.table.grantCallsOn(unit, { partitions: [outbound, 'accepted-domain'] }, 'GetItem', 'Query')
    this.table.grantCallsOn(unit, { partitions: ['certificates'] }, 'GetItem')
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
