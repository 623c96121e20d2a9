import { CfnOutput, Duration } from 'aws-cdk-lib'
import { type IMetric, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import type { FargateService } from 'aws-cdk-lib/aws-ecs'
import {
  CfnListenerRule,
  IpAddressType,
  type NetworkListener,
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  TargetGroupIpAddressType,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { Construct } from 'constructs'
import { canaryPort } from '../../shared/contract/canary.ts'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import type { MailNetwork } from '../mail-network.ts'
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
  private readonly network: MailNetwork
  private readonly ipv6: { targets: NetworkTargetGroup; rule: CfnListenerRule } | undefined

  constructor(scope: Construct, id: string, network: MailNetwork, config: Config) {
    super(scope, id)
    this.network = network
    this.securityGroup = this.createSecurityGroup(network, config)
    this.balancer = this.createBalancer(network, config)
    this.targets = this.createTargets('Tasks', TargetGroupIpAddressType.IPV4, config)
    const [smtp] = Object.entries(ports).map(([name, port]) =>
      this.balancer.addListener(name, {
        port,
        protocol: Protocol.TCP,
        tcpIdleTimeout: idleTimeout,
        defaultTargetGroups: [this.targets],
      }),
    ) as [NetworkListener]
    const { ipv6, proxyProtocol } = config.ingress
    this.ipv6 = ipv6 && !proxyProtocol ? this.routeIpv6(smtp, config) : undefined
    const { loadBalancerDnsName: value } = this.balancer
    new CfnOutput(this, 'Name', { value, description: 'Load balancer' }).overrideLogicalId('LoadBalancerName')
  }

  /** CIDRs of the subnets that contain the balancer's addresses. An existing VPC has them only if the setting does. */
  get balancerNetworks(): string[] {
    return this.network.vpc.publicSubnets.map(({ ipv4CidrBlock }) => ipv4CidrBlock)
  }

  /** The number of healthy tasks in a minute; with IPv6, the smaller one of both address families. */
  healthyTasks(): IMetric {
    const options = { statistic: Stats.MAXIMUM, period: Duration.minutes(1) }
    const ipv4 = this.targets.metrics.healthyHostCount(options)
    if (!this.ipv6) return ipv4
    // The CDK knows the balancer of a group by its listener, and the second group has only a rule.
    const ipv6 = new Metric({
      namespace: ipv4.namespace,
      metricName: ipv4.metricName,
      dimensionsMap: {
        LoadBalancer: this.balancer.loadBalancerFullName,
        TargetGroup: this.ipv6.targets.targetGroupFullName,
      },
      ...options,
    })
    return new MathExpression({
      label: 'Healthy tasks',
      expression: 'MIN([ipv4, ipv6])',
      usingMetrics: { ipv4, ipv6 },
      period: options.period,
    })
  }

  /** Forwards connections to the service's tasks, which accept them only from this load balancer. */
  forwardTo(service: FargateService): void {
    service.attachToNetworkTargetGroup(this.targets)
    if (this.ipv6) {
      service.attachToNetworkTargetGroup(this.ipv6.targets)
      // ECS refuses a target group without a load balancer.
      service.node.addDependency(this.ipv6.rule)
    }
    for (const port of [smtpPort, healthPort])
      service.connections.allowFrom(this.securityGroup, Port.tcp(port))
  }

  /**
   * Routes IPv6 clients to the tasks' IPv6 addresses. An IPv4 target would see the balancer's address in place of the
   * address of an IPv6 client. The PROXY protocol needs no second group, because its header has the client's address
   * (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html,
   * "Client IP preservation"; https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-rule.html).
   */
  private routeIpv6({ listenerArn }: NetworkListener, config: Config) {
    const targets = this.createTargets('Ipv6Tasks', TargetGroupIpAddressType.IPV6, config)
    const rule = new CfnListenerRule(this, 'Ipv6Clients', {
      listenerArn,
      priority: 1,
      conditions: [{ field: 'source-ip', sourceIpConfig: { ipAddressType: 'ipv6' } }],
      actions: [{ type: 'forward', targetGroupArn: targets.targetGroupArn }],
    })
    return { targets, rule }
  }

  private createSecurityGroup({ vpc }: MailNetwork, { ingress }: Config): SecurityGroup {
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'SMTP from the internet',
      allowAllIpv6Outbound: ingress.ipv6,
    })
    const peers = ingress.ipv6 ? [Peer.anyIpv4(), Peer.anyIpv6()] : [Peer.anyIpv4()]
    for (const peer of peers)
      group.addIngressRule(peer, Port.tcp(ports.Smtp), 'Any mail server may send mail')
    group.addIngressRule(Peer.anyIpv4(), Port.tcp(ports.Canary), 'Canaries: Lambda has no fixed addresses')
    acknowledge(
      group,
      'A mail exchanger accepts connections from any mail server, on port 25 and on the port for canaries only.',
      'EC23',
    )
    return group
  }

  private createBalancer(network: MailNetwork, { deletionProtection, ingress }: Config): NetworkLoadBalancer {
    const description = (type: string) => `Addresses for the ${type} record that the MX record names`
    const addresses = network.createAddresses(this, 'MxAddress', description('A'))
    const ipv6Addresses = ingress.ipv6
      ? network.createIpv6Addresses(this, 'MxIpv6Address', description('AAAA'))
      : []
    const { vpc } = network
    const balancer = new NetworkLoadBalancer(this, 'Balancer', {
      vpc,
      internetFacing: true,
      ...(ingress.ipv6 && { ipAddressType: IpAddressType.DUAL_STACK }),
      // The MX record leads to fixed addresses, so clients also use the address of a zone that has no healthy task.
      // But two connections of a client, or of a NAT device, to two of these addresses can have one source port. If
      // both reach one task, one of them fails, and the client retries. `ingress.proxyProtocol` prevents that
      // (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html,
      // "Intermittent connection failure when client IP preservation is enabled").
      crossZoneEnabled: true,
      deletionProtection,
      securityGroups: [this.securityGroup],
      subnetMappings: vpc.publicSubnets.map((subnet, zone) => ({
        subnet,
        allocationId: addresses[zone]?.attrAllocationId ?? '',
        ...(ipv6Addresses[zone] !== undefined && { ipv6Address: ipv6Addresses[zone] }),
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

  private createTargets(
    id: string,
    ipAddressType: TargetGroupIpAddressType,
    { ingress }: Config,
  ): NetworkTargetGroup {
    const targets = new NetworkTargetGroup(this, id, {
      vpc: this.network.vpc,
      ...(ipAddressType === TargetGroupIpAddressType.IPV6 && { ipAddressType }),
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
    // By default the header is sent with the client's first octets (`on_first_ack_with_payload`). An SMTP client waits
    // for the greeting, and the greeting waits for the header. AWS refuses the attribute, and so the deployment, in an
    // account for which AWS Support has not permitted it (https://github.com/pires/go-proxyproto#aws).
    if (ingress.proxyProtocol)
      targets.setAttribute('proxy_protocol_v2.client_to_server.header_placement', 'on_first_ack')
    // A task that cannot store messages replies 421 and 451 in its open sessions; closing them would look like a
    // crash.
    targets.setAttribute('target_health_state.unhealthy.connection_termination.enabled', 'false')
    return targets
  }
}
