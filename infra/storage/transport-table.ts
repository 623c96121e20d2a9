import { Construct } from 'constructs'
import type { Unit } from '../unit.ts'
import { ItemTable } from './item-table.ts'

const observed = 'observed#'

/**
 * What is known of other domains' mail servers: the policies they publish, how sessions with them fared, what they
 * report of theirs with us, who is delivering to them now, how many messages they send, and the certificates that they
 * and we show. Items expire by `expiresAt`.
 */
export class TransportTable extends Construct {
  readonly table: ItemTable

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.table = new ItemTable(this, 'Table', { timeToLiveAttribute: 'expiresAt' })
  }

  /** Lets the unit read and keep policies, count sessions, take its turn, and keep reports. */
  grantDelivery(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'PutItem', 'UpdateItem')
    this.tell(unit)
  }

  /** Lets the unit read policies that are kept. What it fetches by itself it does not keep. */
  grantPolicies(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'policy#', 'GetItem')
    this.tell(unit)
  }

  /** Lets the unit read counted sessions, and claim the reports on them. */
  grantReporting(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'sessions#', 'Query')
    this.table.grantCallsUnder(unit, 'sent#', 'GetItem', 'PutItem', 'UpdateItem')
    this.tell(unit)
  }

  /** Lets the unit read the reports that others sent. */
  grantReceivedReports(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'report#', 'GetItem', 'Query')
    this.tell(unit)
  }

  /** Lets the unit keep what it heard of the revocation of clients' certificates. */
  grantClientRevocation(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'revocation#ingress#', 'GetItem', 'PutItem')
    this.tell(unit)
  }

  /** Lets the unit count the messages of a minute. */
  grantRates(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'rate#', 'UpdateItem')
    this.tell(unit)
  }

  /** Lets the unit read the certificates that were seen. */
  grantObserved(unit: Unit): void {
    this.table.grantCallsUnder(unit, observed, 'Query')
    this.tell(unit)
  }

  /** Lets the unit write down certificates that it sees, and read what was seen before. */
  grantObserving(unit: Unit): void {
    this.table.grantCallsUnder(unit, observed, 'GetItem', 'Query', 'PutItem', 'UpdateItem')
    this.tell(unit)
  }

  private tell(unit: Unit): void {
    unit.addEnvironment('TRANSPORT_TABLE', this.table.tableName)
  }
}
