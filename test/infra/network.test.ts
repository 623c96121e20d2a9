import assert from 'node:assert/strict'
import { test } from 'node:test'
import { subnetMasks } from '../../infra/network-settings.ts'
import { canaryPort } from '../../shared/contract/canary.ts'
import {
  assemble,
  existingVpc,
  type Json,
  onlyResource,
  type Resource,
  resources,
  resourcesOfType,
  text,
} from '../support/synthesis.ts'

const egress: [
  string,
  Record<string, unknown>,
  { nat: number; inVpc: boolean; publicTasks: boolean; endpoints: number },
][] = [
  ['only uses SES', {}, { nat: 0, inVpc: false, publicTasks: true, endpoints: 0 }],
  ['routes by MX', { defaultRoute: 'Mx' }, { nat: 2, inVpc: true, publicTasks: false, endpoints: 0 }],
  [
    'has smart hosts on port 25',
    { deliverInVpc: true },
    { nat: 2, inVpc: true, publicTasks: false, endpoints: 0 },
  ],
  [
    'keeps tasks private',
    { interfaceEndpoints: true },
    { nat: 0, inVpc: false, publicTasks: false, endpoints: 6 },
  ],
]

for (const [what, mailflow, expected] of egress)
  test(`a deployment that ${what} has only the NAT gateways, endpoints and addresses that it needs`, () => {
    const inside = resourcesOfType('AWS::Lambda::Function', mailflow).filter(
      ({ Properties }) => Properties.VpcConfig,
    )
    const network = onlyResource('AWS::ECS::Service', mailflow).Properties.NetworkConfiguration
      .AwsvpcConfiguration
    const endpoints = resourcesOfType('AWS::EC2::VPCEndpoint', mailflow)
    assert.deepEqual(
      {
        nat: resourcesOfType('AWS::EC2::NatGateway', mailflow).length,
        inVpc: inside.some(({ id }) => id.startsWith('DeliveryFunction')),
        publicTasks: network.AssignPublicIp === 'ENABLED',
        endpoints: endpoints.filter(({ Properties }) => Properties.VpcEndpointType === 'Interface').length,
      },
      expected,
    )
    assert.equal(endpoints.filter(({ Properties }) => Properties.VpcEndpointType === 'Gateway').length, 2)
  })

test('the validation function runs in the same network as the delivery function', () => {
  for (const mailflow of [{}, { defaultRoute: 'Mx' }, { deliverInVpc: true }]) {
    const [delivery, validation] = ['DeliveryFunction', 'ValidationFunction'].map(
      (name) =>
        resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) => id.startsWith(name))?.Properties
          .VpcConfig,
    )
    assert.deepEqual(validation, delivery)
    assert.equal(validation === undefined, Object.keys(mailflow).length === 0)
  }
})

test('a change of defaultRoute or ipv6 keeps the subnets, so that no resource in them is replaced', () => {
  const subnets = (mailflow: Record<string, unknown>) =>
    resourcesOfType('AWS::EC2::Subnet', mailflow).map(({ id, Properties }) => [id, Properties.CidrBlock])
  assert.deepEqual(subnets({ defaultRoute: 'Mx' }), subnets({}))
  assert.deepEqual(subnets({ ingress: { ipv6: true } }), subnets({}))
})

const ranges: [cidr: string, publicSubnets: string[], privateSubnets: string[]][] = [
  ['10.40.0.0/16', ['10.40.0.0/24', '10.40.1.0/24'], ['10.40.4.0/22', '10.40.8.0/22']],
  ['10.8.16.0/20', ['10.8.16.0/24', '10.8.17.0/24'], ['10.8.20.0/22', '10.8.24.0/22']],
  ['172.20.0.0/22', ['172.20.0.0/25', '172.20.0.128/25'], ['172.20.1.0/24', '172.20.2.0/24']],
]

for (const [cidr, publicSubnets, privateSubnets] of ranges)
  test(`the VPC ${cidr} has two public and two private subnets, and its endpoints admit that range`, () => {
    const mailflow = { network: { cidr }, interfaceEndpoints: true }
    assert.equal(onlyResource('AWS::EC2::VPC', mailflow).Properties.CidrBlock, cidr)
    assert.deepEqual(
      resourcesOfType('AWS::EC2::Subnet', mailflow).map(({ Properties }) => Properties.CidrBlock),
      [...publicSubnets, ...privateSubnets],
    )
    const endpoints = resourcesOfType('AWS::EC2::SecurityGroup', mailflow).find(({ id }) =>
      id.startsWith('NetworkEndpoints'),
    )
    assert.equal(endpoints?.Properties.SecurityGroupIngress[0].CidrIp, cidr)
  })

test('the four subnets take at most three quarters of a VPC of any size', () => {
  for (let prefix = 16; prefix <= 22; prefix++) {
    const { publicMask, privateMask } = subnetMasks(`10.0.0.0/${prefix}`)
    const share = 2 * 2 ** (prefix - publicMask) + 2 * 2 ** (prefix - privateMask)
    assert.ok(share <= 0.75, `/${prefix}`)
  }
})

const threeZones = {
  ...existingVpc,
  availabilityZones: [...existingVpc.availabilityZones, 'eu-west-1c'],
  publicSubnetIds: [...existingVpc.publicSubnetIds, 'subnet-4a1b2c3d'],
  publicSubnetCidrs: [...existingVpc.publicSubnetCidrs, '10.1.0.128/26'],
  privateSubnetIds: [...existingVpc.privateSubnetIds, 'subnet-5a1b2c3d'],
}

for (const [zones, vpc] of [
  ['two', existingVpc],
  ['three', threeZones],
] as const) {
  const mailflow = { network: { existingVpc: vpc }, defaultRoute: 'Mx' }

  test(`in an existing VPC with ${zones} zones, the stack creates only the load balancer's addresses and security groups`, () => {
    const types = resources(mailflow)
      .map(({ Type }) => Type)
      .filter((type) => type.startsWith('AWS::EC2::'))
    assert.deepEqual([...new Set(types)].sort(), [
      'AWS::EC2::EIP',
      'AWS::EC2::SecurityGroup',
      'AWS::EC2::SecurityGroupIngress',
    ])
    assert.equal(types.filter((type) => type === 'AWS::EC2::EIP').length, vpc.publicSubnetIds.length)
    for (const { Properties } of resourcesOfType('AWS::EC2::SecurityGroup', mailflow))
      assert.equal(Properties.VpcId, vpc.vpcId)
  })

  test(`in an existing VPC with ${zones} zones, the load balancer has the public subnets, and ingress and delivery the private ones`, () => {
    const { Properties } = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', mailflow)
    assert.deepEqual(
      Properties.SubnetMappings.map(({ SubnetId, AllocationId }: Json) => [SubnetId, text(AllocationId)]),
      vpc.publicSubnetIds.map((id, zone) => [id, addressOf(mailflow, zone)]),
    )
    const ingress = onlyResource('AWS::ECS::Service', mailflow).Properties.NetworkConfiguration
      .AwsvpcConfiguration
    assert.deepEqual([ingress.Subnets, ingress.AssignPublicIp], [vpc.privateSubnetIds, 'DISABLED'])
    const delivery = resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) =>
      id.startsWith('DeliveryFunction'),
    )
    assert.deepEqual(delivery?.Properties.VpcConfig.SubnetIds, vpc.privateSubnetIds)
  })
}

const addressOf = (mailflow: Record<string, unknown>, zone: number): string =>
  `<${resourcesOfType('AWS::EC2::EIP', mailflow)[zone]?.id}.AllocationId>`

test('an existing VPC with the PROXY protocol has its public subnets as trusted proxies', () => {
  const mailflow = { network: { existingVpc }, ingress: { proxyProtocol: true } }
  assert.equal(ingressEnvironment(mailflow).PROXY_TRUSTED_ADDRESSES, '10.1.0.0/26,10.1.0.64/26')
})

test('a stack in an existing VPC is synthesised without a lookup and with the warnings of any other stack', () => {
  const messages = (mailflow: Record<string, unknown>) =>
    assemble(mailflow)
      .getStackByName('Mailflow')
      .messages.map(({ entry, level }) => [level, entry.data])
  const { publicSubnetCidrs: _, ...withoutCidrs } = existingVpc
  const { manifest } = assemble({ network: { existingVpc: withoutCidrs } })
  assert.deepEqual(manifest.missing ?? [], [])
  assert.deepEqual(messages({ network: { existingVpc: withoutCidrs } }), messages({}))
})

test('the load balancer and the NAT gateways have elastic addresses, so MX and egress addresses are fixed', () => {
  const mappings = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer').Properties.SubnetMappings
  assert.deepEqual(
    mappings.map(({ AllocationId }: Json) => /MxAddress/.test(text(AllocationId))),
    [true, true],
  )
  for (const { Properties } of resourcesOfType('AWS::EC2::NatGateway', { defaultRoute: 'Mx' }))
    assert.match(text(Properties.AllocationId), /EgressAddress/)
})

const dualStack = { ingress: { ipv6: true } }

function smtpListener(mailflow: Record<string, unknown> = {}): Resource {
  const listeners = resourcesOfType('AWS::ElasticLoadBalancingV2::Listener', mailflow)
  const [listener] = listeners.filter(({ Properties }) => Properties.Port === 25)
  return listener ?? assert.fail('no listener on port 25')
}

test('with ipv6, IPv4 and IPv6 clients reach a task by addresses of their own family, so it sees their addresses', () => {
  const balancer = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', dualStack)
  assert.equal(balancer.Properties.IpAddressType, 'dualstack')
  const groups = resourcesOfType('AWS::ElasticLoadBalancingV2::TargetGroup', dualStack)
  const groupOf = (action: Json) => groups.find(({ id }) => `<${id}>` === text(action.TargetGroupArn))
  const smtp = smtpListener(dualStack)
  const [action] = smtp.Properties.DefaultActions
  const rule = onlyResource('AWS::ElasticLoadBalancingV2::ListenerRule', dualStack)
  assert.equal(text(rule.Properties.ListenerArn), `<${smtp.id}>`)
  assert.deepEqual(rule.Properties.Conditions, [
    { Field: 'source-ip', SourceIpConfig: { IpAddressType: 'ipv6' } },
  ])
  const [ipv4Group, ipv6Group] = [groupOf(action), groupOf(rule.Properties.Actions[0])]
  assert.equal(ipv4Group?.Properties.IpAddressType ?? 'ipv4', 'ipv4')
  assert.equal(ipv6Group?.Properties.IpAddressType, 'ipv6')
  for (const group of [ipv4Group, ipv6Group] as Resource[])
    assert.equal(attributes(group)['preserve_client_ip.enabled'], 'true')
  const service = onlyResource('AWS::ECS::Service', dualStack)
  assert.deepEqual(
    service.Properties.LoadBalancers.map(groupOf).map((group: Resource) => group.id),
    [ipv4Group?.id, ipv6Group?.id],
  )
  assert.ok(service.DependsOn?.includes(rule.id))
})

for (const [where, mailflow] of [
  ['public', dualStack],
  ['private', { ...dualStack, defaultRoute: 'Mx' }],
] as const)
  test(`with ipv6, the ingress in ${where} subnets gets IPv6 addresses`, () => {
    const { Subnets } = onlyResource('AWS::ECS::Service', mailflow).Properties.NetworkConfiguration
      .AwsvpcConfiguration
    const [cidrBlock] = resourcesOfType('AWS::EC2::VPCCidrBlock', mailflow)
    for (const subnet of Subnets) {
      const { Properties, DependsOn } = resourcesOfType('AWS::EC2::Subnet', mailflow).find(
        ({ id }) => id === subnet.Ref,
      ) as Resource
      assert.equal(Properties.AssignIpv6AddressOnCreation, true)
      assert.ok(Properties.Ipv6CidrBlock)
      assert.ok(DependsOn?.includes(cidrBlock?.id ?? ''))
    }
  })

for (const network of ['2001:db8:1:2::/64', '2001:db8:1:2:0:0:0:0/64'])
  test(`with ipv6, the load balancer has an address of each public subnet's network, such as ${network}`, () => {
    const { SubnetMappings } = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', dualStack).Properties
    assert.equal(SubnetMappings.length, 2)
    for (const { SubnetId, IPv6Address } of SubnetMappings) {
      const subnet = resourcesOfType('AWS::EC2::Subnet', dualStack).find(({ id }) => id === SubnetId.Ref)
      const block = JSON.stringify(subnet?.Properties.Ipv6CidrBlock)
      const resolved = JSON.parse(JSON.stringify(IPv6Address).replaceAll(block, JSON.stringify(network)))
      assert.equal(evaluate(resolved), '2001:db8:1:2::25')
    }
  })

test('with ipv6, the load balancer is created after the routes of IPv6 to the internet', () => {
  const { DependsOn = [] } = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', dualStack)
  const routes = resourcesOfType('AWS::EC2::Route', dualStack).filter(({ id }) => DependsOn.includes(id))
  assert.deepEqual(
    routes.map(({ Properties: { DestinationIpv6CidrBlock: network } }) => network).filter(Boolean),
    ['::/0', '::/0'],
  )
})

test('with ipv6 and the PROXY protocol, IPv6 clients need no target group of their own', () => {
  const mailflow = { ingress: { ipv6: true, proxyProtocol: true } }
  const balancer = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', mailflow)
  assert.equal(balancer.Properties.IpAddressType, 'dualstack')
  const group = onlyResource('AWS::ElasticLoadBalancingV2::TargetGroup', mailflow)
  assert.equal(attributes(group)['proxy_protocol_v2.enabled'], 'true')
  assert.deepEqual(resourcesOfType('AWS::ElasticLoadBalancingV2::ListenerRule', mailflow), [])
})

test('with ipv6 in an existing VPC, the load balancer takes the addresses that AWS chooses', () => {
  const mailflow = { ...dualStack, network: { existingVpc } }
  const { Properties } = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', mailflow)
  assert.equal(Properties.IpAddressType, 'dualstack')
  for (const mapping of Properties.SubnetMappings) assert.equal('IPv6Address' in mapping, false)
  assert.deepEqual(resourcesOfType('AWS::EC2::VPCCidrBlock', mailflow), [])
})

test('the tasks open no connection over IPv6, so only subnets with NAT gateways have an egress-only gateway', () => {
  const tasks = resourcesOfType('AWS::EC2::SecurityGroup', dualStack).find(
    ({ Properties }) => Properties.GroupDescription === 'SMTP ingress tasks',
  )
  assert.deepEqual(
    tasks?.Properties.SecurityGroupEgress.map(({ CidrIp, CidrIpv6 }: Json) => CidrIp ?? CidrIpv6),
    ['0.0.0.0/0'],
  )
  assert.deepEqual(resourcesOfType('AWS::EC2::EgressOnlyInternetGateway', dualStack), [])
})

test('the load balancer is created after the default route and its gateway attachment in each of its subnets', () => {
  const { DependsOn = [], Properties } = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer')
  const routes = resourcesOfType('AWS::EC2::Route')
  const [attachment] = resourcesOfType('AWS::EC2::VPCGatewayAttachment')
  const associations = resourcesOfType('AWS::EC2::SubnetRouteTableAssociation')
  for (const { SubnetId } of Properties.SubnetMappings) {
    const association = associations.find((resource) => text(resource.Properties.SubnetId) === text(SubnetId))
    const route = routes.find(
      (resource) => text(resource.Properties.RouteTableId) === text(association?.Properties.RouteTableId),
    )
    assert.equal(route?.Properties.DestinationCidrBlock, '0.0.0.0/0')
    assert.ok(DependsOn.includes(route?.id ?? ''))
    assert.ok(DependsOn.includes(association?.id ?? ''))
    assert.ok(attachment && route?.DependsOn?.includes(attachment.id))
  }
})

test('the internet reaches only port 25 and the port for canaries', () => {
  const open = resourcesOfType('AWS::EC2::SecurityGroup').flatMap(
    ({ Properties }) => Properties.SecurityGroupIngress ?? [],
  )
  assert.deepEqual(
    open.map(({ CidrIp, FromPort, ToPort, IpProtocol }: Json) => [CidrIp, FromPort, ToPort, IpProtocol]),
    [25, canaryPort].map((port) => ['0.0.0.0/0', port, port, 'tcp']),
  )
})

test('with ipv6, the internet reaches only port 25 over either protocol, and the port for canaries over IPv4', () => {
  const open = resourcesOfType('AWS::EC2::SecurityGroup', dualStack).flatMap(
    ({ Properties }) => Properties.SecurityGroupIngress ?? [],
  )
  assert.deepEqual(
    open.map(({ CidrIp, CidrIpv6, FromPort, ToPort }: Json) => [CidrIp ?? CidrIpv6, FromPort, ToPort]),
    [
      ['0.0.0.0/0', 25, 25],
      ['::/0', 25, 25],
      ['0.0.0.0/0', canaryPort, canaryPort],
    ],
  )
})

test('a connection may reach a task in another availability zone, and the task sees the address of the client', () => {
  assert.equal(
    attributes(onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer'))[
      'load_balancing.cross_zone.enabled'
    ],
    'true',
  )
  assert.equal(attributes(targetGroup())['preserve_client_ip.enabled'], 'true')
})

test("with the PROXY protocol a task trusts exactly the networks of the load balancer's subnets as proxies", () => {
  const mailflow = { ingress: { proxyProtocol: true } }
  const groups = attributes(onlyResource('AWS::ElasticLoadBalancingV2::TargetGroup', mailflow))
  assert.equal(groups['preserve_client_ip.enabled'], 'false')
  assert.equal(groups['proxy_protocol_v2.enabled'], 'true')
  const subnets = resourcesOfType('AWS::EC2::Subnet', mailflow)
  const ofBalancer = onlyResource(
    'AWS::ElasticLoadBalancingV2::LoadBalancer',
    mailflow,
  ).Properties.SubnetMappings.map(
    ({ SubnetId }: Json) => subnets.find(({ id }) => id === SubnetId.Ref)?.Properties.CidrBlock,
  )
  assert.equal(ingressEnvironment(mailflow).PROXY_TRUSTED_ADDRESSES, ofBalancer.join(','))
  assert.equal(ofBalancer.length, 2)
})

test('the PROXY protocol header does not wait for octets of the client, which waits for the greeting', () => {
  const placement = 'proxy_protocol_v2.client_to_server.header_placement'
  const mailflow = { ingress: { proxyProtocol: true } }
  const group = onlyResource('AWS::ElasticLoadBalancingV2::TargetGroup', mailflow)
  assert.equal(attributes(group)[placement], 'on_first_ack')
  assert.equal(placement in attributes(targetGroup()), false)
})

test('without the PROXY protocol a task trusts no address as proxy', () => {
  assert.equal(attributes(targetGroup())['proxy_protocol_v2.enabled'] ?? 'false', 'false')
  assert.equal('PROXY_TRUSTED_ADDRESSES' in ingressEnvironment(), false)
})

test('only the load balancer reaches a task, with and without the PROXY protocol or ipv6', () => {
  for (const mailflow of [{}, { ingress: { proxyProtocol: true } }, dualStack]) {
    const rules = resourcesOfType('AWS::EC2::SecurityGroupIngress', mailflow).filter(({ id }) =>
      id.startsWith('Ingress'),
    )
    assert.deepEqual(rules.map(({ Properties }) => Properties.FromPort).sort(), [2525, 8081])
    for (const { Properties } of rules)
      assert.match(text(Properties.SourceSecurityGroupId), /^<IngressFrontDoorSecurityGroup/)
  }
})

test("the load balancer's idle timeout is longer than every timeout of RFC 5321", () => {
  const [attribute] = smtpListener().Properties.ListenerAttributes
  assert.equal(attribute.Key, 'tcp.idle_timeout.seconds')
  assert.ok(Number(attribute.Value) > 10 * 60)
})

test('a stopping task is deregistered while it drains, and killed only after the drain', () => {
  const container = onlyResource('AWS::ECS::TaskDefinition').Properties.ContainerDefinitions[0]
  const drain = container.Environment.find(({ Name }: Json) => Name === 'DRAIN_SECONDS').Value
  assert.equal(attributes(targetGroup())['deregistration_delay.timeout_seconds'], drain)
  assert.equal(attributes(targetGroup())['deregistration_delay.connection_termination.enabled'], 'false')
  assert.ok(Number(drain) < container.StopTimeout)
})

test('the health check requests /health over HTTP', () => {
  const { HealthCheckProtocol, HealthCheckPort, HealthCheckPath } = targetGroup().Properties
  assert.deepEqual([HealthCheckProtocol, HealthCheckPort, HealthCheckPath], ['HTTP', '8081', '/health'])
})

test('an update of the ingress never runs fewer tasks than before, and rolls back when it fails', () => {
  const { DeploymentConfiguration, DesiredCount } = onlyResource('AWS::ECS::Service').Properties
  assert.equal(DeploymentConfiguration.MinimumHealthyPercent, 100)
  assert.deepEqual(DeploymentConfiguration.DeploymentCircuitBreaker, { Enable: true, Rollback: true })
  assert.equal(DesiredCount, undefined)
})

test('the number of tasks follows CPU utilization and the number of SMTP sessions', () => {
  const metrics = resourcesOfType('AWS::ApplicationAutoScaling::ScalingPolicy').map(
    ({ Properties: { TargetTrackingScalingPolicyConfiguration: tracking } }) =>
      tracking.CustomizedMetricSpecification?.MetricName ??
      tracking.PredefinedMetricSpecification.PredefinedMetricType,
  )
  assert.deepEqual(metrics.sort(), ['Connections', 'ECSServiceAverageCPUUtilization'])
})

test('autoscaling names no role, because AWS creates its service-linked role only then', () => {
  const target = onlyResource('AWS::ApplicationAutoScaling::ScalableTarget').Properties
  assert.equal(target.RoleARN, undefined)
})

test('the container of the ingress does not run as root and cannot write to its root file system', () => {
  const [container] = onlyResource('AWS::ECS::TaskDefinition').Properties.ContainerDefinitions
  assert.equal(container.User, 'node')
  assert.equal(container.ReadonlyRootFilesystem, true)
})

/** Evaluates `Fn::Join`, `Fn::Select` and `Fn::Split` as CloudFormation does. */
function evaluate(value: Json): Json {
  if (Array.isArray(value)) return value.map(evaluate)
  if (typeof value !== 'object') return value
  const [[name, args]] = Object.entries(value) as [[string, Json]]
  const [first, second] = evaluate(args)
  if (name === 'Fn::Join') return second.join(first)
  if (name === 'Fn::Split') return second.split(first)
  assert.equal(name, 'Fn::Select')
  return second[first]
}

function ingressEnvironment(mailflow?: Record<string, unknown>): Record<string, string> {
  const [container] = onlyResource('AWS::ECS::TaskDefinition', mailflow).Properties.ContainerDefinitions
  return Object.fromEntries(container.Environment.map(({ Name, Value }: Json) => [Name, Value]))
}

function targetGroup(): Resource {
  return onlyResource('AWS::ElasticLoadBalancingV2::TargetGroup')
}

function attributes({ Properties }: Resource): Record<string, string> {
  const attributeList: Json[] = Properties.LoadBalancerAttributes ?? Properties.TargetGroupAttributes
  return Object.fromEntries(attributeList.map(({ Key, Value }) => [Key, Value]))
}
