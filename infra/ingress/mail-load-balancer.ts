import { CfnOutput, Duration } from 'aws-cdk-lib'
import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import type { FargateService } from 'aws-cdk-lib/aws-ecs'
import {
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { Construct } from 'constructs'
import { canaryPort } from '../../shared/contract/canary.ts'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { MailNetwork } from '../mail-network.ts'
import { healthPort, smtpPort } from './ports.ts'

/**
 * Longer than a client waits for the reply to its data: 10 minutes (RFC 5321 §4.5.3.2.6). The load balancer's default
 * of 350 seconds would silently drop sessions that client and task still use.
 */
const idleTimeout = Duration.minutes(11)

/**
 * Both ports lead to the same tasks, which apply the same limits and the same policy to each session. So the port for
 * canaries gives a stranger nothing that port 25 does not.
 */
const ports = { Smtp: 25, Canary: canaryPort } as const

/**
 * The load balancer: it has port 25 and fixed addresses, and shows the client's address to the task. A second port is
 * for canaries.
 */
export class MailLoadBalancer extends Construct {
  readonly balancer: NetworkLoadBalancer
  readonly targets: NetworkTargetGroup
  readonly securityGroup: SecurityGroup
  /** CIDRs of the subnets that contain the balancer's addresses. */
  readonly balancerNetworks: readonly string[]

  constructor(scope: Construct, id: string, network: MailNetwork, config: Config) {
    super(scope, id)
    this.securityGroup = this.createSecurityGroup(network)
    this.balancer = this.createBalancer(network, config)
    this.balancerNetworks = network.vpc.publicSubnets.map(({ ipv4CidrBlock }) => ipv4CidrBlock)
    this.targets = this.createTargets(network, config)
    for (const [listener, port] of Object.entries(ports))
      this.balancer.addListener(listener, {
        port,
        protocol: Protocol.TCP,
        tcpIdleTimeout: idleTimeout,
        defaultTargetGroups: [this.targets],
      })
    const { loadBalancerDnsName: value } = this.balancer
    new CfnOutput(this, 'Name', { value, description: 'Load balancer' }).overrideLogicalId('LoadBalancerName')
  }

  /** Forwards connections to the service's tasks, which accept them only from this load balancer. */
  forwardTo(service: FargateService): void {
    service.attachToNetworkTargetGroup(this.targets)
    for (const port of [smtpPort, healthPort])
      service.connections.allowFrom(this.securityGroup, Port.tcp(port))
  }

  private createSecurityGroup({ vpc }: MailNetwork): SecurityGroup {
    const group = new SecurityGroup(this, 'SecurityGroup', { vpc, description: 'SMTP from the internet' })
    group.addIngressRule(Peer.anyIpv4(), Port.tcp(ports.Smtp), 'Any mail server may send mail')
    group.addIngressRule(Peer.anyIpv4(), Port.tcp(ports.Canary), 'Canaries: Lambda has no fixed addresses')
    acknowledge(
      group,
      'A mail exchanger accepts connections from any mail server, on port 25 and on the port for canaries only.',
      'EC23',
    )
    return group
  }

  private createBalancer({ vpc }: MailNetwork, { deletionProtection }: Config): NetworkLoadBalancer {
    const description = 'Addresses for the A record that the MX record names'
    const addresses = MailNetwork.createAddresses(this, 'MxAddress', description)
    const balancer = new NetworkLoadBalancer(this, 'Balancer', {
      vpc,
      internetFacing: true,
      crossZoneEnabled: true,
      deletionProtection,
      securityGroups: [this.securityGroup],
      subnetMappings: vpc.publicSubnets.map((subnet, zone) => ({
        subnet,
        allocationId: addresses[zone]?.attrAllocationId ?? '',
      })),
    })
    // The dependable of the VPC contains the internet gateway without its attachment, and the balancer needs both
    // (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html, "When a
    // DependsOn attribute is required"). Each subnet's default route depends on the attachment.
    for (const { internetConnectivityEstablished } of vpc.publicSubnets)
      balancer.node.addDependency(internetConnectivityEstablished)
    acknowledge(
      balancer,
      'A Network Load Balancer logs TLS listeners only; STARTTLS is TCP to it, and the ingress logs every session.',
      'ELB2',
    )
    return balancer
  }

  private createTargets({ vpc }: MailNetwork, { ingress }: Config): NetworkTargetGroup {
    const targets = new NetworkTargetGroup(this, 'Tasks', {
      vpc,
      port: smtpPort,
      protocol: Protocol.TCP,
      targetType: TargetType.IP,
      // With the PROXY protocol, packets come from the balancer's addresses. Tasks trust headers only from these.
      preserveClientIp: !ingress.proxyProtocol,
      proxyProtocolV2: ingress.proxyProtocol,
      deregistrationDelay: Duration.seconds(ingress.drainSeconds),
      connectionTermination: false,
      healthCheck: {
        protocol: Protocol.HTTP,
        port: String(healthPort),
        path: '/health',
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    })
    // A task that cannot store messages replies 421 and 451 in its open sessions; closing them would look like a
    // crash.
    targets.setAttribute('target_health_state.unhealthy.connection_termination.enabled', 'false')
    return targets
  }
}
