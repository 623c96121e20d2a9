import { SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import { type Config, deliversInVpc } from '../config.ts'
import type { MailNetwork } from '../mail-network.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import { UnitFunction } from '../unit.ts'
import { SesConfiguration } from './ses-configuration.ts'

export interface DeliverMessageProps {
  readonly config: Config
  readonly network: MailNetwork
  readonly queues: MailQueues
  readonly content: ContentBucket
  readonly messages: MessagesTable
}

/** Tries one delivery and reports what happened; what follows is decided elsewhere. */
export class DeliverMessage extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: DeliverMessageProps) {
    super(scope, id)
    const { config, queues } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'deliver-message',
      description: 'Hands a message to its next hop by SMTP or SES',
      config,
      limits: config.functions.deliver,
      memoryMiB: 1024,
      ...(deliversInVpc(config) && { network: this.inside(props.network) }),
    })
    this.setEnvironment(config)
    props.messages.grantTrace(this.handler)
    props.content.grantRead(this.handler)
    new SesConfiguration(this, 'Ses').grantSend(this.handler, config.sesIdentityArns)
    queues.evaluation.grantSend(this.handler)
    queues.delivery.consume(this.handler)
  }

  private setEnvironment(config: Config): void {
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('DNS_SERVERS', config.dnsServers.join(','))
    this.handler.addEnvironment('PRIVATE_MX_NETWORKS', config.privateMxNetworks.join(','))
  }

  private inside({ vpc, privateSubnets }: MailNetwork) {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', { vpc, description: 'Outbound mail' })
    return { vpc, vpcSubnets: privateSubnets, securityGroups: [securityGroup] }
  }
}
