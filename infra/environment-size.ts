import { Stack } from 'aws-cdk-lib'
import type { CfnFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'

/** Octets of all environment variables of a function (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const maxEnvironmentOctets = 4096

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const maxBucketNameOctets = 63

/**
 * Checks, when the app is synthesised, that the environment variables of a function fit. Lists in the settings can make
 * them too long, and Lambda would refuse the function in the middle of a deployment.
 */
export function checkEnvironmentSize(unit: LambdaFunction): void {
  unit.node.addValidation({
    validate() {
      const octets = environmentOctets(unit)
      if (octets <= maxEnvironmentOctets) return []
      return [
        `The environment variables would have about ${octets} octets, and Lambda permits ${maxEnvironmentOctets}: shorten mailflow.privateMxNetworks, mailflow.dnsServers, mailflow.jwt.roles or the name of the stack`,
      ]
    },
  })
}

function environmentOctets(unit: LambdaFunction): number {
  const stack = Stack.of(unit)
  const { environment } = unit.node.defaultChild as CfnFunction
  const { variables = {} } = stack.resolve(environment) ?? {}
  // CloudFormation makes names of the stack's name, the logical id and 12 characters, for queues cut after 80; a queue's
  // URL has about 55 characters more.
  const referenceOctets = Math.min(stack.stackName.length + 90, 140)
  const tableNameOctets = stack.stackName.length + 40
  const octetsOf = (name: string, value: unknown) => {
    if (typeof value === 'string') return Buffer.byteLength(value)
    if (name.endsWith('_TABLE')) return tableNameOctets
    return name.endsWith('_BUCKET') ? maxBucketNameOctets : referenceOctets
  }
  return Object.entries(variables).reduce(
    (sum, [name, value]) => sum + name.length + octetsOf(name, value),
    0,
  )
}
