/**
 * Units: deployed functions and containers. The `grant…` methods of other constructs give a unit permissions, and set
 * the environment variables that name the resources.
 */
import { dirname } from 'node:path'
import { AssetHashType, DockerImage, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import { type IGrantable, type IRole, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  RecursiveLoop,
  Runtime,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import { bundleUnit } from './bundle-unit.ts'
import type { Config } from './config.ts'
import { encryptionKey } from './encryption-key.ts'
import { checkEnvironmentSize } from './environment-size.ts'
import { handlerPath } from './repository.ts'

/** A Lambda function or a container. */
export interface Unit extends IGrantable {
  /** The role that holds its permissions. */
  readonly permissions: IRole
  addEnvironment(name: string, value: string): unknown
}

export interface UnitFunctionProps {
  /** Folder below functions/ that contains handler.ts. */
  readonly unit: string
  readonly description: string
  readonly config: Config
  readonly limits: { readonly timeoutSeconds: number; readonly concurrency: number }
  readonly memoryMiB?: number
  /**
   * Allows the function to send messages that lead to its own invocation, as each deferral does. Lambda otherwise stops
   * such a loop after sixteen invocations.
   */
  readonly allowRecursiveInvocation?: boolean
  /** Writes further files into the folder of the function's bundle. @default none */
  readonly addFiles?: (folder: string) => unknown
  /** @default the function runs outside any VPC */
  readonly network?: { vpc: IVpc; vpcSubnets: SubnetSelection; securityGroups: ISecurityGroup[] }
}

/** A Lambda function bundled from its handler, with its own role and log group. */
export class UnitFunction extends LambdaFunction implements Unit {
  readonly permissions: IRole
  /** Folder below functions/. */
  readonly unit: string

  constructor(scope: Construct, id: string, props: UnitFunctionProps) {
    const logs = new UnitLogs(scope, `${id}Logs`, props.config)
    const role = functionRole(scope, `${id}Role`, logs, props.network !== undefined)
    super(scope, id, {
      description: props.description,
      code: codeOf(scope, props.unit, props.addFiles),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMiB ?? 512,
      timeout: Duration.seconds(props.limits.timeoutSeconds),
      ...(props.allowRecursiveInvocation && { recursiveLoop: RecursiveLoop.ALLOW }),
      ...(props.config.reserveConcurrency && { reservedConcurrentExecutions: props.limits.concurrency }),
      role,
      logGroup: logs,
      environment: { STACK_NAME: Stack.of(scope).stackName },
      ...props.network,
    })
    this.permissions = role
    this.unit = props.unit
    checkEnvironmentSize(this)
  }
}

/** The log group of a unit. */
export class UnitLogs extends LogGroup {
  constructor(scope: Construct, id: string, config: Config) {
    const key = encryptionKey(scope, config)
    super(scope, id, {
      retention: config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(key && { encryptionKey: key }),
    })
  }
}

/** Context key: its value is a digest of all sources. With the same digest, CDK uses an earlier bundle again. */
export const sourcesContext = 'mailflow:sources'

function codeOf(scope: Construct, unit: string, addFiles: UnitFunctionProps['addFiles']): Code {
  const digest: unknown = scope.node.tryGetContext(sourcesContext)
  const tryBundle = (folder: string) => {
    bundleUnit(unit, folder)
    addFiles?.(folder)
    return true
  }
  return Code.fromAsset(dirname(handlerPath(unit)), {
    ...(typeof digest === 'string'
      ? { assetHash: `${digest}-${unit}`, assetHashType: AssetHashType.CUSTOM }
      : { assetHashType: AssetHashType.OUTPUT }),
    // CDK requires an image, and uses it only if tryBundle returns false.
    bundling: { image: DockerImage.fromRegistry('unused'), local: { tryBundle } },
  })
}

/**
 * Replaces Lambda's managed policies, which grant every log group of the account. This role grants only the function's
 * own log group.
 */
function functionRole(scope: Construct, id: string, logs: LogGroup, inVpc: boolean): Role {
  const role = new Role(scope, id, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
  logs.grantWrite(role)
  if (inVpc) grantNetworkInterfaces(role)
  return role
}

/** A network interface has no ARN before it exists, so the resource is `*`. Lambda makes these calls, not the code. */
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
