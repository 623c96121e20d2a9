/**
 * The KMS key of the setting `encryptionKeyArn`. The key belongs to the customer, so the stack cannot change its policy:
 * `requiredKeyPolicy` states what that policy must allow.
 */
import { Stack } from 'aws-cdk-lib'
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Alias, type IKey, Key } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import type { Config } from './config.ts'

type KeySettings = Pick<Config, 'encryptionKeyArn'>

/** Returns the customer's key; undefined without the setting. */
export function encryptionKey(scope: Construct, { encryptionKeyArn }: KeySettings): IKey | undefined {
  if (encryptionKeyArn === undefined) return undefined
  const stack = Stack.of(scope)
  const imported = stack.node.tryFindChild('EncryptionKey') as IKey | undefined
  return imported ?? Key.fromKeyArn(stack, 'EncryptionKey', encryptionKeyArn)
}

/**
 * Returns the key of a topic to which only roles of this account publish. The policy of the AWS managed key admits each
 * of them.
 */
export const topicKey = (scope: Construct, settings: KeySettings): IKey =>
  encryptionKey(scope, settings) ?? Alias.fromAliasName(scope, 'Key', 'alias/aws/sns')

/**
 * Lets the role use the customer's key, but only through one service, as `kms:ViaService` says
 * (https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#viaService_table).
 */
export function grantKeyUse(
  { grantPrincipal }: IGrantable,
  { encryptionKeyArn }: KeySettings,
  service: 'dynamodb' | 's3' | 'secretsmanager' | 'sns' | 'sqs',
  ...calls: readonly ('Decrypt' | 'DescribeKey' | 'GenerateDataKey')[]
): void {
  if (encryptionKeyArn === undefined) return
  const statement = new PolicyStatement({
    actions: calls.map((call) => `kms:${call}`),
    resources: [encryptionKeyArn],
    conditions: { StringEquals: { 'kms:ViaService': viaService(service, encryptionKeyArn) } },
  })
  grantPrincipal.addToPrincipalPolicy(statement)
}

/** Returns the service's name in `kms:ViaService`, which ends with `amazonaws.com` in every partition. */
const viaService = (service: string, keyArn: string): string => {
  const [, , , region] = keyArn.split(':')
  return `${service}.${region}.amazonaws.com`
}
