import { Construct } from 'constructs'
import { grantCertificateEvents } from '../certificates/certificate-events.ts'
import { type Config, setDecisionEnvironment } from '../config.ts'
import type { NoticesTopic } from '../notices-topic.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'

export interface EvaluatePolicyProps {
  readonly config: Config
  readonly queues: MailQueues
  readonly connectors: ConnectorsTable
  readonly messages: MessagesTable
  readonly transport: TransportTable
  readonly notices: NoticesTopic
}

/** Decides for each recipient: deliver, defer or bounce. No other unit decides. */
export class EvaluatePolicy extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: EvaluatePolicyProps) {
    super(scope, id)
    const { config, queues, connectors, messages, transport, notices } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'evaluate-policy',
      description: 'Decides for each recipient: deliver, defer or bounce',
      config,
      limits: config.functions.evaluate,
      allowRecursiveInvocation: true,
    })
    setDecisionEnvironment(config, this.handler)
    connectors.grantSnapshotAndLists(this.handler)
    messages.grantTrace(this.handler)
    transport.grantObserving(this.handler)
    transport.grantStandings(this.handler)
    grantCertificateEvents(this.handler)
    notices.grantPublish(this.handler)
    for (const queue of [
      queues.evaluation,
      queues.authentication,
      ...queues.deliveries,
      queues.bounce,
      queues.events,
    ])
      queue.grantSend(this.handler)
    queues.evaluation.consume(this.handler)
  }
}
