import { Duration, Size } from 'aws-cdk-lib'
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
import type { TlsCertificate } from '../certificates/tls-certificate.ts'
import { type Config, ingressMemory, ingressWorkers } from '../config.ts'
import { type Unit, UnitLogs } from '../unit.ts'
import { ingressImage } from './ingress-image.ts'
import { healthPort, smtpPort } from './ports.ts'

/** Fargate's maximum: what is left of it after the drain is for closing sockets and writing the last log lines. */
const stopTimeout = Duration.seconds(120)

/** The ingress's task: one container, not root, with a file system it cannot write. */
export class IngressTask extends FargateTaskDefinition implements Unit {
  private readonly container: ContainerDefinition

  constructor(scope: Construct, id: string, config: Config, certificate: TlsCertificate) {
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
      environment: environment(config),
      secrets: certificate.containerSecrets(),
      stopTimeout,
      logging: logging(new UnitLogs(this, 'Logs', config)),
    })
    certificate.grantDecrypt(this.obtainExecutionRole())
    acknowledge(
      this,
      'What is secret comes from Secrets Manager; the rest are names, ports and limits.',
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
  const { hostname, ingress } = config
  return {
    MAIL_HOSTNAME: hostname,
    SMTP_PORT: String(smtpPort),
    HEALTH_PORT: String(healthPort),
    MAX_MESSAGE_SIZE: String(ingress.maximumMessageSize),
    MAX_RECIPIENTS: String(ingress.maximumRecipients),
    MAX_CONNECTIONS: String(ingress.maximumConnections),
    MAX_CONNECTIONS_PER_ADDRESS: String(ingress.maximumConnectionsPerAddress),
    MAX_CONNECTION_RATE_PER_ADDRESS: String(ingress.maximumConnectionRatePerAddress),
    MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: String(ingress.maximumMessagesPerMinutePerAddress),
    UNLAWFUL_OCTETS: ingress.unlawfulOctets,
    MAX_LINE_LENGTH: String(ingress.maximumLineLength),
    MAX_HEADER_SIZE: String(ingress.maximumHeaderSize),
    MAX_ERRORS: String(ingress.maximumErrors),
    WORKERS: String(ingressWorkers(ingress)),
    MEMORY_MIB: String(ingressMemory(ingress)),
    DRAIN_SECONDS: String(ingress.drainSeconds),
  }
}

/** Metrics travel in the log too, but mail must not wait for CloudWatch: past the buffer, lines are dropped. */
function logging(logGroup: UnitLogs): LogDriver {
  return LogDriver.awsLogs({
    logGroup,
    streamPrefix: 'ingress',
    mode: AwsLogDriverMode.NON_BLOCKING,
    maxBufferSize: Size.mebibytes(25),
  })
}
