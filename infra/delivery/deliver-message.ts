import { Construct } from 'constructs'
import { grantCertificateEvents } from '../certificates/certificate-events.ts'
import { type Config, deliveryConcurrency } from '../config.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'
import type { OutboundMail } from './outbound-mail.ts'

export interface DeliverMessageProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly queues: MailQueues
  readonly connectors: ConnectorsTable
  readonly content: ContentBucket
  readonly messages: MessagesTable
  readonly transport: TransportTable
}

/** Makes one delivery attempt and reports its result; evaluate-policy decides what follows. */
export class DeliverMessage extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: DeliverMessageProps) {
    super(scope, id)
    const { config, outboundMail, queues } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'deliver-message',
      description: 'Transmits a message to its next hop over SMTP or through SES',
      config,
      limits: { ...config.functions.deliver, concurrency: deliveryConcurrency(config) },
      allowRecursiveInvocation: true,
      ...outboundMail.placement,
    })
    props.connectors.grantVersion(this.handler)
    props.messages.grantTrace(this.handler)
    props.transport.grantDelivery(this.handler)
    grantCertificateEvents(this.handler)
    props.content.grantRead(this.handler)
    outboundMail.grantSend(this.handler)
    outboundMail.grantReadSesQuota(this.handler)
    queues.evaluation.grantSend(this.handler)
    queues.events.grantSend(this.handler)
    for (const queue of queues.deliveries) {
      // A job that cannot start now returns to its queue.
      queue.grantSend(this.handler)
      queue.consume(this.handler)
    }
    this.setLimitEnvironment(config.functions.deliver)
  }

  private setLimitEnvironment({
    concurrencyPerDestination,
    workersPerDestination,
    smtpTimeouts,
  }: Config['functions']['deliver']): void {
    const { connect, greeting, command, data } = smtpTimeouts
    this.handler.addEnvironment('DELIVERIES_PER_DESTINATION', String(concurrencyPerDestination))
    this.handler.addEnvironment('WORKERS_PER_DESTINATION', String(workersPerDestination))
    this.handler.addEnvironment('SMTP_TIMEOUT_SECONDS', [connect, greeting, command, data].join(','))
  }
}
