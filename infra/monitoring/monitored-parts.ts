import type { Config } from '../config.ts'
import type { ConnectorApi } from '../connectors/connector-api.ts'
import type { SmtpIngress } from '../ingress/smtp-ingress.ts'
import type { MailMetrics } from '../mail-metrics.ts'
import type { MailNetwork } from '../mail-network.ts'
import type { PublicPages } from '../pages/public-pages.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import type { UnitFunction } from '../unit.ts'

/** The parts that the dashboard and the alarms watch. */
export interface MonitoredParts {
  readonly config: Config
  readonly metrics: MailMetrics
  readonly network: MailNetwork
  readonly ingress: SmtpIngress
  readonly queues: MailQueues
  readonly functions: Readonly<
    Record<
      | 'evaluate'
      | 'authenticate'
      | 'deliver'
      | 'bounce'
      | 'api'
      | 'eventApi'
      | 'validate'
      | 'report'
      | 'expiryWatch'
      | 'rotate'
      | 'canary'
      | 'record'
      | 'seal'
      | 'erase',
      UnitFunction
    >
  > & {
    /** Only with the setting `summaries`. */
    readonly summary?: UnitFunction
    /** Only with the setting `console`. */
    readonly console?: UnitFunction
  }
  readonly tables: {
    readonly messages: MessagesTable
    readonly connectors: ConnectorsTable
    readonly transport: TransportTable
  }
  readonly api: ConnectorApi
  readonly pages: PublicPages
}
