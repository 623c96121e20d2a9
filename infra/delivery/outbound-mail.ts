import { ArnFormat, Stack } from 'aws-cdk-lib'
import { type ISecurityGroup, type IVpc, SecurityGroup, type SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { clientCertificateSecret } from '../../shared/contract/secrets.ts'
import { acknowledge } from '../acknowledge.ts'
import { type Config, deliversInVpc } from '../config.ts'
import type { MailNetwork } from '../mail-network.ts'
import type { UnitFunction } from '../unit.ts'
import { SesConfiguration } from './ses-configuration.ts'

/**
 * The network and permissions for outgoing mail. They are the same for each unit that sends, because partners know one
 * set of addresses.
 */
export class OutboundMail extends Construct {
  /** Network of the functions that send; empty when they run outside the VPC. */
  readonly placement: {
    readonly network?: { vpc: IVpc; vpcSubnets: SubnetSelection; securityGroups: ISecurityGroup[] }
  }
  private readonly config: Config
  private readonly ses: SesConfiguration

  constructor(scope: Construct, id: string, config: Config, network: MailNetwork) {
    super(scope, id)
    this.config = config
    this.ses = new SesConfiguration(this, 'Ses')
    this.placement = deliversInVpc(config) ? { network: this.vpcPlacement(network) } : {}
  }

  /** Lets the function send through SES and over SMTP. */
  grantSend(sender: UnitFunction): void {
    this.grantSessions(sender)
    this.ses.grantSend(sender, this.config.sesIdentityArns)
  }

  /** Lets the function open sessions with next hops. */
  grantSessions(client: UnitFunction): void {
    client.addEnvironment('MAIL_HOSTNAME', this.config.hostname)
    this.setNetworkEnvironment(client)
    this.grantClientCertificates(client)
  }

  /** Lets the function read the sending quota of SES. */
  grantReadSesQuota(sender: UnitFunction): void {
    this.ses.grantReadQuota(sender)
  }

  /** Sets the resolvers, and the private networks in which MX hosts may have addresses. */
  setNetworkEnvironment(unit: UnitFunction): void {
    this.setResolverEnvironment(unit)
    unit.addEnvironment('PRIVATE_MX_NETWORKS', this.config.privateMxNetworks.join(','))
  }

  /** Sets the resolvers. */
  setResolverEnvironment(unit: UnitFunction): void {
    unit.addEnvironment('DNS_SERVERS', this.config.dnsServers.join(','))
  }

  /**
   * Lets the function read the secrets of client certificates. Administrators create these secrets after the
   * deployment, and Secrets Manager adds a random suffix to each ARN, so the permission covers a prefix.
   */
  private grantClientCertificates(sender: UnitFunction): void {
    const stack = Stack.of(this)
    const secretNames = clientCertificateSecret('*', stack.stackName)
    const secrets = stack.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: secretNames,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    sender.addToRolePolicy(
      new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [secrets] }),
    )
    acknowledge(
      sender.permissions,
      'Administrators create the secrets of client certificates; their names have a fixed prefix.',
      `IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${secretNames}]`,
    )
  }

  private vpcPlacement({ vpc, privateSubnets }: MailNetwork) {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', { vpc, description: 'Outbound mail' })
    return { vpc, vpcSubnets: privateSubnets, securityGroups: [securityGroup] }
  }
}
