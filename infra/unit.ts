/** The units that are deployed, and how each is given a permission together with the name it finds it under. */
import { join } from 'node:path'
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import { type IGrantable, type IRole, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, RecursiveLoop, Runtime } from 'aws-cdk-lib/aws-lambda'
import { type BundlingOptions, LogLevel, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import type { Config } from './config.ts'
import { handlerPath, repositoryRoot } from './repository.ts'

/** A Lambda function or a container: it can be granted, and it has an environment. */
export interface Unit extends IGrantable {
  /** Whose permissions these are. */
  readonly permissions: IRole
  addEnvironment(name: string, value: string): unknown
}

export interface UnitFunctionProps {
  /** The folder of functions/ that holds handler.ts. */
  readonly unit: string
  readonly description: string
  readonly config: Config
  readonly limits: { readonly timeoutSeconds: number; readonly concurrency: number }
  readonly memoryMiB?: number
  /**
   * A message goes round by the queues as often as it is tried. Lambda takes sixteen rounds for a mistake and stops
   * invoking the function, unless it is told that they are meant.
   */
  readonly goesRound?: boolean
  /** Left out, the function runs outside any VPC. */
  readonly network?: { vpc: IVpc; vpcSubnets: SubnetSelection; securityGroups: ISecurityGroup[] }
}

/** A Lambda function bundled from its handler, with a role and a log group of its own. */
export class UnitFunction extends NodejsFunction implements Unit {
  readonly permissions: IRole

  constructor(scope: Construct, id: string, props: UnitFunctionProps) {
    const logs = new UnitLogs(scope, `${id}Logs`, props.config)
    const role = functionRole(scope, `${id}Role`, logs, props.network !== undefined)
    super(scope, id, {
      description: props.description,
      entry: handlerPath(props.unit),
      handler: 'handler',
      projectRoot: repositoryRoot,
      depsLockFilePath: join(repositoryRoot, 'package-lock.json'),
      bundling: { ...bundling, ...knownSources(scope, props.unit) },
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMiB ?? 512,
      timeout: Duration.seconds(props.limits.timeoutSeconds),
      ...(props.goesRound && { recursiveLoop: RecursiveLoop.ALLOW }),
      ...(props.config.reserveConcurrency && { reservedConcurrentExecutions: props.limits.concurrency }),
      environment: { NODE_OPTIONS: '--enable-source-maps' },
      role,
      logGroup: logs,
      ...props.network,
    })
    this.permissions = role
  }
}

/** What a unit writes, kept as long as the configuration says. */
export class UnitLogs extends LogGroup {
  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id, { retention: config.logRetentionDays, removalPolicy: RemovalPolicy.DESTROY })
  }
}

/** Context by which somebody vouches that the same digest means the same sources: what is bundled already is taken. */
export const sourcesContext = 'mailflow:sources'

function knownSources(scope: Construct, unit: string): Pick<BundlingOptions, 'assetHash'> {
  const digest: unknown = scope.node.tryGetContext(sourcesContext)
  return typeof digest === 'string' ? { assetHash: `${digest}-${unit}` } : {}
}

const bundling: BundlingOptions = {
  logLevel: LogLevel.WARNING,
  format: OutputFormat.ESM,
  target: 'node24',
  sourceMap: true,
  // What runs is what was tested: the SDK of the lock file, not the one that the Lambda runtime happens to hold.
  bundleAwsSDK: true,
  mainFields: ['module', 'main'],
  // Dependencies in CommonJS call `require`, which an ES module lacks.
  banner: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
}

/** Lambda's managed policies name every log group and every interface of the account; these name the function's own. */
function functionRole(scope: Construct, id: string, logs: LogGroup, inVpc: boolean): Role {
  const role = new Role(scope, id, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
  logs.grantWrite(role)
  if (inVpc) grantNetworkInterfaces(role)
  return role
}

/** EC2 offers no resource to name before the interface exists; the Lambda service, not the code, makes these calls. */
function grantNetworkInterfaces(role: Role): void {
  const actions = [
    'ec2:CreateNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DeleteNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:UnassignPrivateIpAddresses',
    'ec2:DescribeSubnets',
  ]
  role.addToPolicy(new PolicyStatement({ actions, resources: ['*'] }))
  acknowledge(
    role,
    'Network interfaces have no name to grant before Lambda creates them.',
    'IAM5[Resource::*]',
  )
}
