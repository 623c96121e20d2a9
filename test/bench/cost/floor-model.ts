/** What the stack costs in a month without mail: every resource of the template with a price for time, and idle work. */
import type { Json } from '../../support/synthesis.ts'
import { minimumPollers } from './batch-model.ts'
import { gigabyte, hoursPerMonth, type PriceName, prices, secondsPerMonth } from './prices.ts'
import type { IdleRecording } from './recording.ts'
import { ofType, only, type StackFacts, type TemplateResource } from './stack-facts.ts'

export interface FloorLine {
  readonly item: string
  readonly quantity: number
  readonly usd: number
}

const line = (item: string, quantity: number, name: PriceName, hours = 1): FloorLine => ({
  item,
  quantity,
  usd: quantity * hours * prices[name].usd,
})

/**
 * Metrics of Container Insights for a Fargate service, a custom metric each: 12 of the cluster, 15 of the service, 10 of
 * the task definition (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html).
 */
const containerInsightsMetrics = 12 + 15 + 10

/** Seconds of a long poll of Lambda, without a message. */
const longPollSeconds = 20

export function floorOf({ resources, functions }: StackFacts, idle: IdleRecording): FloorLine[] {
  const tasks: number = only(resources, 'AWS::ApplicationAutoScaling::ScalableTarget').MinCapacity
  const definition = only(resources, 'AWS::ECS::TaskDefinition')
  const count = (type: string) => ofType(resources, type).length
  const lines = [
    line('load balancer', count('AWS::ElasticLoadBalancingV2::LoadBalancer'), 'balancerHour', hoursPerMonth),
    line(
      'processors of the tasks',
      (tasks * Number(definition.Cpu)) / 1024,
      'fargateVcpuHour',
      hoursPerMonth,
    ),
    line(
      'memory of the tasks, GB',
      (tasks * Number(definition.Memory)) / 1024,
      'fargateGbHour',
      hoursPerMonth,
    ),
    line('public IPv4 addresses', publicAddresses(resources, tasks), 'publicAddressHour', hoursPerMonth),
    line('NAT gateways', count('AWS::EC2::NatGateway'), 'natGatewayHour', hoursPerMonth),
    line('interface endpoints', endpointInterfaces(resources), 'interfaceEndpointHour', hoursPerMonth),
    line('alarms, by metric', alarmMetrics(resources), 'alarmMetricMonth'),
    line('metrics of the units', idle.metrics.length, 'metricMonth'),
    line('metrics of Container Insights', insightsMetrics(resources), 'metricMonth'),
    line('dashboard', count('AWS::CloudWatch::Dashboard'), 'dashboardMonth'),
    line('Contributor Insights rules', count('AWS::CloudWatch::InsightRule'), 'insightRuleMonth'),
    line('KMS keys of the stack', count('AWS::KMS::Key'), 'kmsKeyMonth'),
    line("secret with the ingress's certificate", 1, 'secretMonth'),
    line('receives of empty queues', emptyReceives(functions), 'sqsRequest'),
    ...idleCalls(idle, tasks),
    line('logs, GB', idleLogGigabytes(idle, tasks), 'logsGb'),
  ]
  return lines.filter(({ usd }) => usd > 0).sort((a, b) => b.usd - a.usd)
}

/** Elastic addresses of balancer and gateways, and the addresses of tasks in public subnets. */
function publicAddresses(resources: readonly TemplateResource[], tasks: number): number {
  const network = only(resources, 'AWS::ECS::Service').NetworkConfiguration.AwsvpcConfiguration
  return ofType(resources, 'AWS::EC2::EIP').length + (network.AssignPublicIp === 'ENABLED' ? tasks : 0)
}

/** An interface endpoint is billed in each subnet. */
const endpointInterfaces = (resources: readonly TemplateResource[]): number =>
  ofType(resources, 'AWS::EC2::VPCEndpoint')
    .filter(({ properties }) => properties.VpcEndpointType === 'Interface')
    .reduce((sum, { properties }) => sum + properties.SubnetIds.length, 0)

/** An alarm on an expression is billed for each of its metrics (https://aws.amazon.com/cloudwatch/pricing/). */
const alarmMetrics = (resources: readonly TemplateResource[]): number =>
  ofType(resources, 'AWS::CloudWatch::Alarm').reduce(
    (sum, { properties: { Metrics = [{ MetricStat: {} }] } }) =>
      sum + Metrics.filter(({ MetricStat }: Json) => MetricStat !== undefined).length,
    0,
  )

function insightsMetrics(resources: readonly TemplateResource[]): number {
  const settings: Json[] = only(resources, 'AWS::ECS::Cluster').ClusterSettings ?? []
  const isOn = settings.some(({ Name, Value }) => Name === 'containerInsights' && Value !== 'disabled')
  return isOn ? containerInsightsMetrics : 0
}

const emptyReceives = (functions: StackFacts['functions']): number =>
  functions
    .flatMap(({ sources }) => sources)
    .reduce((sum, { maximumConcurrency }) => sum + Math.min(minimumPollers, maximumConcurrency), 0) *
  (secondsPerMonth / longPollSeconds)

/** The requests of units without mail, of each task for the ingress; canaries and their way through the stack. */
function idleCalls({ calls, invocationsPerSecond }: IdleRecording, tasks: number): FloorLine[] {
  const ofService = (service: string, isWrite: boolean | null, item: string, name: PriceName): FloorLine => {
    const perSecond = calls
      .filter((call) => call.unit !== 'event-source' && call.service === service)
      .filter(
        ({ operation }) => isWrite === null || isWrite === !/^(Get|Query|Scan|BatchGet|Head)/.test(operation),
      )
      .reduce((sum, { unit, perSecond: { units } }) => sum + units * (unit === 'smtp-ingress' ? tasks : 1), 0)
    return line(item, perSecond * secondsPerMonth, name)
  }
  const invocations = Object.values(invocationsPerSecond).reduce((sum, count) => sum + count, 0)
  return [
    ofService('dynamodb', false, 'read units of DynamoDB', 'dynamoDbRead'),
    ofService('dynamodb', true, 'write units of DynamoDB', 'dynamoDbWrite'),
    ofService('sqs', null, 'requests of SQS', 'sqsRequest'),
    ofService('s3', true, 'PUT of S3', 's3Put'),
    ofService('s3', false, 'GET of S3', 's3Get'),
    ofService('secretsmanager', null, 'reads of secrets', 'secretRequest'),
    line('invocations', invocations * secondsPerMonth, 'lambdaRequest'),
    line('GB-seconds of canaries and schedules', canaryGbSeconds(invocations), 'lambdaGbSecond'),
  ]
}

/** GB-seconds of an idle invocation: half a second with 512 MiB, as most take less. An assumption. */
const canaryGbSeconds = (invocationsPerSecond: number): number =>
  invocationsPerSecond * secondsPerMonth * 0.5 * 0.5

const idleLogGigabytes = ({ logs }: IdleRecording, tasks: number): number =>
  (logs.reduce(
    (sum, { unit, octets, lines }) => sum + (octets + 26 * lines) * (unit === 'smtp-ingress' ? tasks : 1),
    0,
  ) *
    secondsPerMonth) /
  gigabyte

export const floorTotal = (lines: readonly FloorLine[]): number =>
  lines.reduce((sum, { usd }) => sum + usd, 0)
