import { Duration } from 'aws-cdk-lib'
import type { CfnScalableTarget } from 'aws-cdk-lib/aws-applicationautoscaling'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import {
  Cluster,
  ContainerInsights,
  FargateService,
  type ICluster,
  PropagatedTagSource,
  type ScalableTaskCount,
} from 'aws-cdk-lib/aws-ecs'
import { Construct } from 'constructs'
import { Metric } from '../../shared/contract/metrics.ts'
import { acknowledge } from '../acknowledge.ts'
import type { TlsCertificate } from '../certificates/tls-certificate.ts'
import type { Config } from '../config.ts'
import { encryptionKey } from '../encryption-key.ts'
import { MailMetrics } from '../mail-metrics.ts'
import type { MailNetwork } from '../mail-network.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { IngressTask } from './ingress-task.ts'
import { MailLoadBalancer } from './mail-load-balancer.ts'

export interface SmtpIngressProps {
  readonly config: Config
  readonly network: MailNetwork
  readonly certificate: TlsCertificate
  readonly connectors: ConnectorsTable
  readonly content: ContentBucket
  readonly queues: MailQueues
  readonly transport: TransportTable
}

/** Accepts mail: the load balancer, and tasks whose number follows the load. */
export class SmtpIngress extends Construct {
  readonly loadBalancer: MailLoadBalancer
  readonly service: FargateService
  readonly task: IngressTask

  constructor(scope: Construct, id: string, props: SmtpIngressProps) {
    super(scope, id)
    const { config, network } = props
    this.task = this.createTask(props)
    this.service = this.createService(config, network, this.task)
    this.loadBalancer = new MailLoadBalancer(this, 'FrontDoor', network, config)
    this.loadBalancer.forwardTo(this.service)
    if (config.ingress.proxyProtocol)
      this.task.addEnvironment('PROXY_TRUSTED_ADDRESSES', this.loadBalancer.balancerNetworks.join(','))
    this.scale(config)
  }

  private createTask({
    config,
    certificate,
    connectors,
    content,
    queues,
    transport,
  }: SmtpIngressProps): IngressTask {
    const task = new IngressTask(this, 'Task', config)
    certificate.grantRead(task)
    connectors.grantSnapshotAndLists(task)
    content.grantUpload(task)
    queues.evaluation.grantSend(task)
    queues.events.grantSend(task)
    transport.grantRates(task)
    transport.grantClientRevocation(task)
    transport.grantLastCanary(task)
    return task
  }

  /** Sets no desired count, so that a deployment keeps the number of tasks that autoscaling has reached. */
  private createService(config: Config, network: MailNetwork, taskDefinition: IngressTask): FargateService {
    const { vpc } = network
    const key = encryptionKey(this, config)
    const cluster = new Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
      // The spool is on the disks of the tasks.
      ...(key && { managedStorageConfiguration: { fargateEphemeralStorageKmsKey: key } }),
    })
    acknowledge(
      cluster,
      'Container Insights costs 11 USD a month. Alarms and dashboard use metrics of ECS, the balancer and the tasks.',
      'ECS4',
    )
    return new FargateService(this, 'Service', {
      // The cast is needed because the CDK's types do not support exactOptionalPropertyTypes.
      cluster: cluster as ICluster,
      taskDefinition,
      vpcSubnets: network.ingressSubnets,
      assignPublicIp: network.ingressHasPublicAddress,
      securityGroups: [new SecurityGroup(this, 'SecurityGroup', { vpc, description: 'SMTP ingress tasks' })],
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      healthCheckGracePeriod: Duration.seconds(60),
      enableExecuteCommand: false,
      propagateTags: PropagatedTagSource.SERVICE,
    })
  }

  /** Scales out quickly for a burst of mail, and in slowly, because a task that stops ends its sessions. */
  private scale({ ingress }: Config): void {
    const cooldowns = { scaleOutCooldown: Duration.seconds(60), scaleInCooldown: Duration.minutes(10) }
    const tasks = this.service.autoScaleTaskCount({
      minCapacity: ingress.minimumTasks,
      maxCapacity: ingress.maximumTasks,
    })
    omitRole(tasks)
    tasks.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 50, ...cooldowns })
    tasks.scaleToTrackCustomMetric('Connections', {
      metric: new MailMetrics(this).ingress(Metric.connections, {
        statistic: Stats.AVERAGE,
        period: Duration.minutes(1),
      }),
      targetValue: Math.max(1, Math.floor(ingress.maximumConnections / 2)),
      ...cooldowns,
    })
  }
}

/**
 * The CDK names the service-linked role of Application Auto Scaling, which a new account does not have. Without a name,
 * AWS creates the role
 * (https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html).
 */
function omitRole(tasks: ScalableTaskCount): void {
  const target = tasks.node.findChild('Target').node.defaultChild as CfnScalableTarget
  target.addPropertyDeletionOverride('RoleARN')
}
