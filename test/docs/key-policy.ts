import { requiredKeyPolicy } from '../../infra/required-key-policy.ts'
import { code, page, table } from './markdown.ts'

const exampleKey = 'arn:aws:kms:eu-west-1:123456789012:key/0c1d2e3f-0000-4000-8000-000000000000'

const statements = requiredKeyPolicy('Mailflow', exampleKey)

/** Who uses the key through a statement, and what it does with the key. */
const purposes: Readonly<Record<string, string>> = {
  RolesOfTheAccount:
    "Roles, as far as their own IAM policies say. The stack's roles read and write tables, queues, message content and topics, each through the AWS service alone. The role that deploys creates the tables, for which DynamoDB creates grants.",
  LogGroups: 'CloudWatch Logs encrypts the log groups.',
  Alarms: 'CloudWatch publishes alarms to the topic of the stack. With `alarmsTopicArn` it is not needed.',
  DisksOfTasks: 'Fargate encrypts the disks of the tasks, on which the ingress stores large messages.',
  GrantsForDisksOfTasks: 'Fargate decrypts those disks.',
}

const notEncrypted: readonly (readonly [string, string])[] = [
  ['Code of the functions, image of the ingress', "The bucket and the repository of CDK's bootstrap"],
  ['Environment variables of the functions (names, limits, addresses)', 'Lambda'],
  [
    'Secrets',
    'Secrets Manager, with the keys of `tlsSecretKeyArn` and `tlsReporting.dkim.secretKeyArn` if these are set',
  ],
  ['Events with the names of certificates', "EventBridge, the account's default bus"],
  ['Metrics, alarms and the dashboard', 'CloudWatch'],
]

export const keyPolicyPage = (): string =>
  page(
    'Key policy',
    '`infra/required-key-policy.ts`',
    'The policy of the KMS key of `encryptionKeyArn` must have these statements, in addition to those of its administrators. Replace the account `123456789012`, the Region `eu-west-1` and the stack name `Mailflow`. Change the policy before you deploy: without it CloudFormation cannot create the log groups.',
    `\`\`\`json\n${JSON.stringify(statements, null, 2)}\n\`\`\``,
    '## Statements',
    table(
      ['Statement', 'Used by'],
      statements.map(({ Sid }) => [code(Sid), purposeOf(Sid)]),
    ),
    'EventBridge, SES and Lambda use the key in no other way: Lambda reads the queues with the roles of the functions.',
    '## Not encrypted with the key',
    'AWS encrypts the following with other keys:',
    table(['Data', 'Encrypted by'], notEncrypted),
    'Data that were stored before the setting keep their encryption in the bucket and in the log groups. Tables are encrypted again.',
    '## When the key is disabled',
    'SQS may use a data key for another hour, DynamoDB for some minutes. Then mail waits: the ingress refuses messages with 451, and accepted messages stay in the queues, up to 14 days. When the key is enabled again, all continue. Three limits apply:',
    "- Alarms do not reach the topic of the stack, because CloudWatch needs the key too. An alarm on the key's state belongs to a topic with another key.",
    '- DynamoDB archives a table whose key was inaccessible for more than seven days. The table must then be restored from its backup.',
    '- When the key is deleted, all that the stack stores is lost.',
  )

function purposeOf(sid: string): string {
  const purpose = purposes[sid]
  if (purpose === undefined) throw new Error(`${sid} has no purpose in test/docs/key-policy.ts`)
  return purpose
}
