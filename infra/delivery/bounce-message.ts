import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import { UnitFunction } from '../unit.ts'
import type { OutboundMail } from './outbound-mail.ts'

export interface BounceMessageProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly queues: MailQueues
  readonly content: ContentBucket
  readonly messages: MessagesTable
}

/** Sends DSNs. A DSN is a new message that is evaluated like any other. */
export class BounceMessage extends Construct {
  readonly handler: UnitFunction

  constructor(
    scope: Construct,
    id: string,
    { config, outboundMail, queues, content, messages }: BounceMessageProps,
  ) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'bounce-message',
      description: 'Sends DSNs to the senders of messages',
      config,
      limits: config.functions.bounce,
      allowRecursiveInvocation: true,
      ...outboundMail.placement,
    })
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('MAX_RETURNED_SIZE', String(config.maximumReturnedSize))
    outboundMail.setResolverEnvironment(this.handler)
    messages.grantClaims(this.handler)
    content.grantRead(this.handler)
    content.grantWrite(this.handler)
    queues.evaluation.grantSend(this.handler)
    queues.events.grantSend(this.handler)
    queues.bounce.consume(this.handler)
  }
}
