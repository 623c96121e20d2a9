import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'
import { ItemTable, warmWrites } from './item-table.ts'

const canary = 'canary'
const observed = 'observed#'

/**
 * Data whose loss loses no mail: policies of other domains, revocation statuses, session counts, TLS reports received
 * and sent, sent summaries, delivery slots, reservations in the quota of SES, message rates, observed certificates (partners' and
 * mailflow's own), claims on notices, and the last canary.
 * Items expire by `expiresAt`.
 */
export class TransportTable extends Construct {
  readonly table: ItemTable

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.table = new ItemTable(this, 'Table', config, {
      timeToLiveAttribute: 'expiresAt',
      // One for a message to a domain that is sent by itself.
      ...warmWrites(config, 1.25),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false },
    })
    acknowledge(
      this.table,
      'The loss of the table loses no mail, and its data can be obtained again.',
      'DDB3',
    )
  }

  /**
   * Lets the unit read and write single items of every kind: to cache policies and revocation statuses, count sessions,
   * claim slots, reserve in the quota of SES, store received reports, and record observed certificates and
   * the arrival of canaries.
   */
  grantDelivery(unit: Unit): void {
    this.table.grantCalls(unit, 'GetItem', 'PutItem', 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read which domains have proved themselves. */
  grantStandings(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'standing#', 'GetItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read cached policies, but not cache new ones. */
  grantPolicies(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'policy#', 'GetItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read session counts, and claim the reports on them. */
  grantReporting(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'sessions#', 'Query')
    this.table.grantCallsUnder(unit, 'sent#', 'GetItem', 'PutItem', 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit claim summaries. */
  grantSummaries(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'summary#', 'GetItem', 'PutItem', 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read received reports. */
  grantReceivedReports(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'report#', 'GetItem', 'Query')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit cache the revocation status of clients' certificates. */
  grantClientRevocation(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'revocation#ingress#', 'GetItem', 'PutItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit count messages per minute. */
  grantRates(unit: Unit): void {
    this.table.grantCallsUnder(unit, 'rate#', 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit store the id of each canary that it sends. */
  grantSendingCanaries(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: [canary], attributes: ['sent'] }, 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read the id of the last canary. */
  grantLastCanary(unit: Unit): void {
    this.table.grantCallsOn(unit, { partitions: [canary] }, 'GetItem')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit read observed certificates. */
  grantObserved(unit: Unit): void {
    this.table.grantCallsUnder(unit, observed, 'Query')
    this.setTableEnvironment(unit)
  }

  /** Lets the unit record and read observed certificates. */
  grantObserving(unit: Unit): void {
    this.table.grantCallsUnder(unit, observed, 'GetItem', 'Query', 'PutItem', 'UpdateItem')
    this.setTableEnvironment(unit)
  }

  private setTableEnvironment(unit: Unit): void {
    unit.addEnvironment('TRANSPORT_TABLE', this.table.tableName)
  }
}
