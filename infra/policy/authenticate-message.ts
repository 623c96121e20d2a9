import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { OutboundMail } from '../delivery/outbound-mail.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import { UnitFunction } from '../unit.ts'

export interface AuthenticateMessageProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly queues: MailQueues
  readonly content: ContentBucket
  readonly messages: MessagesTable
}

/** Determines SPF, DKIM, DMARC and ARC results, and returns the message for its evaluation. */
export class AuthenticateMessage extends Construct {
  readonly handler: UnitFunction

  constructor(
    scope: Construct,
    id: string,
    { config, outboundMail, queues, content, messages }: AuthenticateMessageProps,
  ) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'authenticate-message',
      description: 'Authenticates the senders of messages: SPF, DKIM, DMARC, ARC',
      config,
      limits: config.functions.authenticate,
      // Without a DMARC result, a message that needs one is authenticated again every quarter of an hour.
      allowRecursiveInvocation: true,
      ...outboundMail.placement,
    })
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.setArcEnvironment(config)
    outboundMail.setResolverEnvironment(this.handler)
    messages.grantClaims(this.handler)
    content.grantRead(this.handler)
    queues.evaluation.grantSend(this.handler)
    queues.authentication.consume(this.handler)
  }

  private setArcEnvironment({ arc }: Config): void {
    if (arc === undefined) return
    this.handler.addEnvironment('ARC_DOMAIN', arc.domain)
    this.handler.addEnvironment('ARC_SELECTOR', arc.selector)
    this.handler.addEnvironment('ARC_SECRET_ARN', arc.secretArn)
    this.allow('secretsmanager:GetSecretValue', arc.secretArn)
    if (arc.secretKeyArn !== undefined) this.allow('kms:Decrypt', arc.secretKeyArn)
  }

  private allow(action: string, resource: string): void {
    this.handler.addToRolePolicy(new PolicyStatement({ actions: [action], resources: [resource] }))
  }
}
