/** A statement of a key's policy. In the policy of a key, the resource `*` is that key. */
export interface KeyStatement {
  readonly Sid: string
  readonly Effect: 'Allow'
  readonly Principal: { readonly AWS: string } | { readonly Service: string }
  readonly Action: readonly string[]
  readonly Resource: '*'
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

/**
 * Returns the statements that the policy of the key of `encryptionKeyArn` must have. The key is of the stack's account
 * and Region.
 *
 * The account's statement lets IAM policies decide: those of the stack's roles, and that of the role that deploys,
 * for which DynamoDB creates grants. SQS, S3, SNS and Secrets Manager act on behalf of a role of the account, and need no
 * statement; so does Athena, which stores results through S3.
 * Sources:
 * - https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
 * - https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
 * - https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
 * - https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
 * - https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-create-storage-key.html
 */
export function requiredKeyPolicy(stackName: string, keyArn: string): readonly KeyStatement[] {
  const [, partition, , region, account] = keyArn.split(':')
  const logGroups = `arn:${partition}:logs:${region}:${account}:log-group:${stackName}-*`
  return [
    {
      Sid: 'RolesOfTheAccount',
      Principal: { AWS: `arn:${partition}:iam::${account}:root` },
      Action: [
        'kms:CreateGrant',
        'kms:Decrypt',
        'kms:DescribeKey',
        'kms:Encrypt',
        'kms:GenerateDataKey*',
        'kms:ReEncrypt*',
      ],
    },
    {
      Sid: 'LogGroups',
      Principal: { Service: `logs.${region}.amazonaws.com` },
      Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    },
    {
      Sid: 'Alarms',
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      Condition: { StringEquals: { 'aws:SourceAccount': `${account}` } },
    },
    ...fargateStatements(stackName, `${account}`),
  ].map(({ Condition, ...statement }) => ({
    Effect: 'Allow',
    ...statement,
    Resource: '*',
    ...(Condition && { Condition }),
  }))
}

/** Statements for the disks of the tasks, on which the ingress stores large messages while they arrive. */
function fargateStatements(stackName: string, account: string) {
  const cluster = {
    StringEquals: { 'kms:EncryptionContext:aws:ecs:clusterAccount': account },
    StringLike: { 'kms:EncryptionContext:aws:ecs:clusterName': `${stackName}-*` },
  }
  const Principal = { Service: 'fargate.amazonaws.com' }
  return [
    { Sid: 'DisksOfTasks', Principal, Action: ['kms:GenerateDataKeyWithoutPlaintext'], Condition: cluster },
    {
      Sid: 'GrantsForDisksOfTasks',
      Principal,
      Action: ['kms:CreateGrant'],
      Condition: { ...cluster, 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Decrypt'] } },
    },
  ]
}
