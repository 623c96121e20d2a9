import { Duration, Size, Stack } from 'aws-cdk-lib'
import {
  AwsLogDriverMode,
  type ContainerDefinition,
  CpuArchitecture,
  FargateTaskDefinition,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { type Config, ingressMemory, postmasterEnvironment } from '../config.ts'
import { type Unit, UnitLogs } from '../unit.ts'
import { ingressImage } from './ingress-image.ts'
import { healthPort, smtpPort } from './ports.ts'

/**
 * The longest stop timeout of Fargate. The drain takes up to `drainSeconds` of it; the rest is for closing sockets and
 * writing the last log lines.
 */
const stopTimeout = Duration.seconds(120)

/**
 * The spool stores large messages while they arrive, on the task's disk, which Fargate encrypts. The image declares the
 * path as a volume of the container's user.
 */
const spool = { name: 'spool', path: '/spool' }
/** The limit of the spool. A task has 20 GiB of disk, which include the image and system files. */
const spoolMebibytes = 15 * 1024

/** The task of the ingress: one container, not root, that can write only to the spool. */
export class IngressTask extends FargateTaskDefinition implements Unit {
  private readonly container: ContainerDefinition

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id, {
      cpu: config.ingress.cpu,
      memoryLimitMiB: ingressMemory(config.ingress),
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.ARM64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
    })
    this.container = this.addContainer('smtp-ingress', {
      image: ingressImage(),
      user: 'node',
      readonlyRootFilesystem: true,
      portMappings: [{ containerPort: smtpPort }, { containerPort: healthPort }],
      environment: { ...environment(config), STACK_NAME: Stack.of(this).stackName },
      stopTimeout,
      logging: logging(new UnitLogs(this, 'Logs', config)),
    })
    this.addVolume({ name: spool.name })
    this.container.addMountPoints({ sourceVolume: spool.name, containerPath: spool.path, readOnly: false })
    acknowledge(
      this,
      'Secrets come from Secrets Manager; the environment holds only names, ports and limits.',
      'ECS2',
    )
    acknowledge(
      this.obtainExecutionRole(),
      'ecr:GetAuthorizationToken names no resource.',
      'IAM5[Resource::*]',
    )
  }

  get permissions() {
    return this.taskRole
  }

  get grantPrincipal() {
    return this.taskRole.grantPrincipal
  }

  addEnvironment(name: string, value: string): void {
    this.container.addEnvironment(name, value)
  }
}

function environment(config: Config): Record<string, string> {
  const { ingress, certificate, dnsServers, privateMxNetworks, tlsReportAddress } = config
  return {
    ...postmasterEnvironment(config),
    DNS_SERVERS: dnsServers.join(','),
    PRIVATE_MX_NETWORKS: privateMxNetworks.join(','),
    SMTP_PORT: String(smtpPort),
    HEALTH_PORT: String(healthPort),
    TLS_SECRET_SECONDS: String(certificate.readEverySeconds),
    MAX_MESSAGE_SIZE: String(ingress.maximumMessageSize),
    MAX_RECIPIENTS: String(ingress.maximumRecipients),
    MAX_CONNECTIONS: String(ingress.maximumConnections),
    MAX_CONNECTIONS_PER_ADDRESS: String(ingress.maximumConnectionsPerAddress),
    MAX_CONNECTION_RATE_PER_ADDRESS: String(ingress.maximumConnectionRatePerAddress),
    MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: String(ingress.maximumMessagesPerMinutePerAddress),
    BARE_NEWLINES: ingress.bareNewlines,
    ENVELOPE_SYNTAX: ingress.envelopeSyntax,
    MAX_LINE_LENGTH: String(ingress.maximumLineLength),
    MAX_HEADER_SIZE: String(ingress.maximumHeaderSize),
    MAX_ERRORS: String(ingress.maximumErrors),
    SPOOL_MIB: String(spoolMebibytes),
    MEMORY_MIB: String(ingressMemory(ingress)),
    DRAIN_SECONDS: String(ingress.drainSeconds),
    ...(tlsReportAddress !== undefined && { TLS_REPORT_ADDRESS: tlsReportAddress }),
  }
}

/**
 * Mail must not wait for CloudWatch: log lines beyond the buffer are dropped, and with them the metrics that they
 * contain.
 */
function logging(logGroup: UnitLogs): LogDriver {
  return LogDriver.awsLogs({
    logGroup,
    streamPrefix: 'ingress',
    mode: AwsLogDriverMode.NON_BLOCKING,
    maxBufferSize: Size.mebibytes(25),
  })
}
