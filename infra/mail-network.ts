import { CfnOutput, Fn, Validations } from 'aws-cdk-lib'
import {
  CfnEIP,
  CfnSubnet,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  IpProtocol,
  type IVpc,
  NatProvider,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import { type Config, deliversInVpc } from './config.ts'
import { type ExistingVpc, subnetMasks, zonesOf } from './network-settings.ts'
import { UnitLogs } from './unit.ts'

/**
 * The VPC: one of the stack, or one that exists. The four subnets of the stack's VPC follow from its range alone.
 * Resources with a price per hour exist only if a setting needs them: NAT gateways when deliveries leave from the VPC,
 * interface endpoints when configured. docs/deploy.md, Cost, lists the prices. An existing VPC is not changed.
 */
export class MailNetwork extends Construct {
  readonly vpc: IVpc
  /** Subnets of the ingress: public ones if there are neither NAT gateways nor endpoints to reach AWS. */
  readonly ingressSubnets: SubnetSelection
  readonly privateSubnets: SubnetSelection = { subnetGroupName: 'private' }
  readonly ingressHasPublicAddress: boolean
  /** Ids of the stack's NAT gateways. */
  readonly natGatewayIds: readonly string[]
  private readonly zones: number

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.zones = zonesOf(config.network)
    const { existingVpc } = config.network
    const nat = deliversInVpc(config) && !existingVpc ? this.createNatProvider() : null
    this.vpc = existingVpc ? this.importVpc(existingVpc) : this.createVpc(config, nat)
    this.natGatewayIds = (nat?.configuredGateways ?? []).map(({ gatewayId }) => gatewayId)
    if (!existingVpc) this.logRejectedPackets(config)
    if (config.interfaceEndpoints) this.addInterfaceEndpoints(config)
    this.ingressHasPublicAddress = !existingVpc && !deliversInVpc(config) && !config.interfaceEndpoints
    this.ingressSubnets = this.ingressHasPublicAddress
      ? { subnetType: SubnetType.PUBLIC }
      : this.privateSubnets
  }

  /** Creates fixed public addresses, one per zone, and an output with the plural of `id`, such as `EgressAddresses`. */
  createAddresses(scope: Construct, id: string, description: string): CfnEIP[] {
    const zones = Array.from({ length: this.zones }, (_, zone) => zone + 1)
    const addresses = zones.map((zone) => new CfnEIP(scope, `${id}${zone}`, { domain: 'vpc' }))
    const value = addresses.map((address) => address.ref).join(' ')
    new CfnOutput(scope, `${id}es`, { value, description }).overrideLogicalId(`${id}es`)
    return addresses
  }

  /**
   * Chooses an IPv6 address in each public subnet of the stack's own dual-stack VPC, and creates an output of them. The
   * addresses stay when the load balancer is replaced. For an existing VPC it returns none: AWS chooses the addresses.
   */
  createIpv6Addresses(scope: Construct, id: string, description: string): string[] {
    const addresses = this.vpc.publicSubnets.flatMap(({ node }) =>
      node.defaultChild instanceof CfnSubnet ? [addressIn(node.defaultChild)] : [],
    )
    if (addresses.length > 0) {
      const value = addresses.join(' ')
      new CfnOutput(scope, `${id}es`, { value, description }).overrideLogicalId(`${id}es`)
    }
    return addresses
  }

  private importVpc({ publicSubnetCidrs, ...attributes }: ExistingVpc): IVpc {
    const vpc = Vpc.fromVpcAttributes(this, 'Vpc', {
      ...attributes,
      ...(publicSubnetCidrs && { publicSubnetIpv4CidrBlocks: publicSubnetCidrs }),
      privateSubnetNames: ['private'],
    })
    for (const subnet of [...vpc.publicSubnets, ...vpc.privateSubnets])
      Validations.of(subnet).acknowledge({
        id: 'annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId',
        reason: 'The stack adds no route to a subnet of an existing VPC.',
      })
    return vpc
  }

  private createVpc(config: Config, nat: NatProvider | null): IVpc {
    const { cidr } = config.network
    const { publicMask, privateMask } = subnetMasks(cidr)
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(cidr),
      maxAzs: this.zones,
      // ECS gives a task an IPv6 address in a subnet that assigns them, as a dual-stack VPC of the CDK's does
      // (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html).
      ...(config.ingress.ipv6 && { ipProtocol: IpProtocol.DUAL_STACK }),
      // Emptying the default group needs a custom resource, and nothing in the stack uses the group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: publicMask, mapPublicIpOnLaunch: false },
        {
          name: 'private',
          subnetType: nat ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PRIVATE_ISOLATED,
          cidrMask: privateMask,
        },
      ],
      ...(nat ? { natGateways: this.zones, natGatewayProvider: nat } : { natGateways: 0 }),
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    })
    // The cast is needed because the CDK's types do not support exactOptionalPropertyTypes.
    return vpc as IVpc
  }

  private logRejectedPackets(config: Config): void {
    this.vpc.addFlowLog('Rejected', {
      destination: FlowLogDestination.toCloudWatchLogs(new UnitLogs(this, 'FlowLogs', config)),
      trafficType: FlowLogTrafficType.REJECT,
    })
  }

  private createNatProvider(): NatProvider {
    const description =
      'Addresses of outgoing mail: add a PTR record for each, and give them to partners that filter by address'
    const addresses = this.createAddresses(this, 'EgressAddress', description)
    const eipAllocationIds = addresses.map((address) => address.attrAllocationId)
    return NatProvider.gateway({ eipAllocationIds })
  }

  private addInterfaceEndpoints({ network }: Config): void {
    const { ECR, ECR_DOCKER, CLOUDWATCH_LOGS, LAMBDA, SECRETS_MANAGER, SQS } = InterfaceVpcEndpointAwsService
    const services = {
      Ecr: ECR,
      EcrDocker: ECR_DOCKER,
      Logs: CLOUDWATCH_LOGS,
      Lambda: LAMBDA,
      Secrets: SECRETS_MANAGER,
      Sqs: SQS,
    }
    const securityGroups = [this.endpointSecurityGroup(network.cidr)]
    for (const [id, service] of Object.entries(services))
      this.vpc.addInterfaceEndpoint(id, {
        service,
        subnets: this.privateSubnets,
        securityGroups,
        open: false,
      })
  }

  private endpointSecurityGroup(cidr: string): SecurityGroup {
    const group = new SecurityGroup(this, 'Endpoints', {
      vpc: this.vpc,
      description: 'AWS services, from inside',
    })
    group.addIngressRule(Peer.ipv4(cidr), Port.HTTPS, 'Units in this VPC')
    return group
  }
}

/**
 * `2001:db8:1:2::25` for the network `2001:db8:1:2::/64`; AWS gives tasks random addresses. CloudFormation also writes the
 * network as `2001:db8:1:2:0:0:0:0/64` (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/938),
 * so only the first four groups are taken. The property is read, because the attribute may still be empty when the subnet
 * exists.
 */
const addressIn = ({ ipv6CidrBlock = '' }: CfnSubnet): string => {
  const groups = Fn.split(':', ipv6CidrBlock)
  return `${[0, 1, 2, 3].map((index) => Fn.select(index, groups)).join(':')}::25`
}
