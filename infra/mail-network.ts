import { CfnOutput } from 'aws-cdk-lib'
import {
  CfnEIP,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
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
import { UnitLogs } from './unit.ts'

const addressRange = '10.40.0.0/16'

/**
 * Each zone has its own subnets, NAT gateway and public addresses, so that the loss of one zone does not affect the
 * other.
 */
const availabilityZones = 2

/**
 * The VPC. Its four subnets are always the same. Resources with a price per hour exist only if a setting
 * needs them: NAT gateways when deliveries leave from the VPC, interface endpoints when configured.
 * docs/deploy.md, Cost, lists the prices.
 */
export class MailNetwork extends Construct {
  readonly vpc: IVpc
  /** Subnets of the ingress: public ones if there are neither NAT gateways nor interface endpoints to reach AWS. */
  readonly ingressSubnets: SubnetSelection
  readonly privateSubnets: SubnetSelection = { subnetGroupName: 'private' }
  readonly ingressHasPublicAddress: boolean
  /** Ids of the stack's NAT gateways. */
  readonly natGatewayIds: readonly string[]

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const nat = deliversInVpc(config) ? this.createNatProvider() : null
    this.vpc = this.createVpc(nat)
    this.natGatewayIds = (nat?.configuredGateways ?? []).map(({ gatewayId }) => gatewayId)
    this.vpc.addFlowLog('Rejected', {
      destination: FlowLogDestination.toCloudWatchLogs(new UnitLogs(this, 'FlowLogs', config)),
      trafficType: FlowLogTrafficType.REJECT,
    })
    if (config.interfaceEndpoints) this.addInterfaceEndpoints()
    this.ingressHasPublicAddress = !deliversInVpc(config) && !config.interfaceEndpoints
    this.ingressSubnets = this.ingressHasPublicAddress
      ? { subnetType: SubnetType.PUBLIC }
      : this.privateSubnets
  }

  /** Creates fixed public addresses, one per zone, and an output with the plural of `id`, such as `EgressAddresses`. */
  static createAddresses(scope: Construct, id: string, description: string): CfnEIP[] {
    const zones = Array.from({ length: availabilityZones }, (_, zone) => zone + 1)
    const addresses = zones.map((zone) => new CfnEIP(scope, `${id}${zone}`, { domain: 'vpc' }))
    const value = addresses.map((address) => address.ref).join(' ')
    new CfnOutput(scope, `${id}es`, { value, description }).overrideLogicalId(`${id}es`)
    return addresses
  }

  private createVpc(nat: NatProvider | null): IVpc {
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(addressRange),
      maxAzs: availabilityZones,
      // Emptying the default group needs a custom resource, and nothing in the stack uses the group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        {
          name: 'private',
          subnetType: nat ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PRIVATE_ISOLATED,
          cidrMask: 22,
        },
      ],
      ...(nat ? { natGateways: availabilityZones, natGatewayProvider: nat } : { natGateways: 0 }),
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    })
    // The cast is needed because the CDK's types do not support exactOptionalPropertyTypes.
    return vpc as IVpc
  }

  private createNatProvider(): NatProvider {
    const description =
      'Addresses of outgoing mail: add a PTR record for each, and give them to partners that filter by address'
    const addresses = MailNetwork.createAddresses(this, 'EgressAddress', description)
    const eipAllocationIds = addresses.map((address) => address.attrAllocationId)
    return NatProvider.gateway({ eipAllocationIds })
  }

  private addInterfaceEndpoints(): void {
    const { ECR, ECR_DOCKER, CLOUDWATCH_LOGS, SECRETS_MANAGER, SQS } = InterfaceVpcEndpointAwsService
    const services = {
      Ecr: ECR,
      EcrDocker: ECR_DOCKER,
      Logs: CLOUDWATCH_LOGS,
      Secrets: SECRETS_MANAGER,
      Sqs: SQS,
    }
    const securityGroups = [this.endpointSecurityGroup()]
    for (const [id, service] of Object.entries(services))
      this.vpc.addInterfaceEndpoint(id, {
        service,
        subnets: this.privateSubnets,
        securityGroups,
        open: false,
      })
  }

  private endpointSecurityGroup(): SecurityGroup {
    const group = new SecurityGroup(this, 'Endpoints', {
      vpc: this.vpc,
      description: 'AWS services, from inside',
    })
    group.addIngressRule(Peer.ipv4(addressRange), Port.HTTPS, 'Units in this VPC')
    return group
  }
}
