/**
 * The AWS service quotas that a deployment with these settings needs, besides what else the account uses. Codes and
 * defaults: AWS General Reference, "Service endpoints and quotas", and the Service Quotas console.
 */
import { type Config, canaryLimits, deliversInVpc, deliveryConcurrency, summaryLimits } from './config.ts'
import { zonesOf } from './network-settings.ts'

export interface RequiredQuota {
  /** Code of the service in Service Quotas. */
  service: string
  code: string
  name: string
  required: number
  /** Value of most accounts. New accounts may have less. */
  awsDefault: number
  /** What a lower quota means. */
  effect: string
}

/**
 * Concurrency that must stay unreserved in an account
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
 */
const unreservedExecutions = 100

export function requiredQuotas(config: Config): RequiredQuota[] {
  const { ingress, reserveConcurrency } = config
  const executions = maxExecutions(config)
  const hasNatGateways = deliversInVpc(config) && !config.network.existingVpc
  const addresses = zonesOf(config.network) * (hasNatGateways ? 2 : 1)
  return [
    {
      service: 'lambda',
      code: 'L-B99A9384',
      name: 'Lambda: Concurrent executions',
      required: executions,
      // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; some new accounts have 10.
      awsDefault: 1000,
      effect: reserveConcurrency
        ? 'the deployment fails: the functions reserve their concurrency'
        : 'mail waits when the functions reach the quota',
    },
    {
      service: 'fargate',
      code: 'L-3032A538',
      name: 'Fargate: On-Demand vCPU resource count',
      required: (ingress.maximumTasks * ingress.cpu) / 1024,
      awsDefault: 6,
      effect: 'fewer ingress tasks than ingress.maximumTasks can run',
    },
    {
      service: 'ec2',
      code: 'L-0263D0A3',
      name: 'EC2: EC2-VPC Elastic IPs',
      required: addresses,
      awsDefault: 5,
      effect: 'the deployment fails',
    },
    ...vpcQuotas(config),
  ]
}

function vpcQuotas(config: Config): RequiredQuota[] {
  if (config.network.existingVpc) return []
  const perRegion = { service: 'vpc', required: 1, awsDefault: 5, effect: 'the deployment fails' }
  return [
    { ...perRegion, code: 'L-F678F1CE', name: 'VPC: VPCs per Region' },
    { ...perRegion, code: 'L-A4707A72', name: 'VPC: Internet gateways per Region' },
    ...(deliversInVpc(config)
      ? [{ ...perRegion, code: 'L-FE5A380F', name: 'VPC: NAT gateways per Availability Zone' }]
      : []),
  ]
}

/** Without reservations, only the maximum concurrency of the queues bounds functions. */
function maxExecutions(config: Config): number {
  const { evaluate, authenticate, deliver: _, bounce, record, console, ...withoutQueue } = config.functions
  const ofQueues =
    evaluate.concurrency +
    authenticate.concurrency +
    deliveryConcurrency(config) +
    bounce.concurrency +
    record.concurrency
  if (!config.reserveConcurrency) return ofQueues
  const others = [
    ...Object.values(withoutQueue),
    canaryLimits,
    ...(config.summaries === undefined ? [] : [summaryLimits]),
    ...(config.console === undefined ? [] : [console]),
  ]
  const ofOthers = others.reduce((sum, { concurrency }) => sum + concurrency, 0)
  return ofQueues + ofOthers + unreservedExecutions
}
