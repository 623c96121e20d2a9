/** Creates the template's queues, topics, bucket, tables and secrets on the emulators. */
import { randomBytes } from 'node:crypto'
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
  ListTablesCommand,
} from '@aws-sdk/client-dynamodb'
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { CreateTopicCommand, type SNSClient } from '@aws-sdk/client-sns'
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { accountId, parse, type Resolver, region, resourcesOfType, type Template } from '../template.ts'
import type { Clients } from './clients.ts'
import type { CreatedSecrets } from './secrets.ts'

export interface Queue {
  readonly logicalId: string
  readonly name: string
  readonly arn: string
  readonly url: string
}

export interface Resources {
  readonly queues: readonly Queue[]
  /** ARNs of the topics. */
  readonly topics: readonly string[]
  readonly buckets: readonly string[]
  /** Table names by logical id. */
  readonly tables: Readonly<Record<string, string>>
}

/** Creates the resources and registers them with the resolver. */
export async function createResources(
  template: Template,
  resolver: Resolver,
  clients: Clients,
  secrets: CreatedSecrets,
): Promise<Resources> {
  registerConfigurationSets(template, resolver)
  createSecrets(template, resolver, secrets)
  return {
    queues: await createQueues(template, resolver, clients.sqs),
    topics: await createTopics(template, resolver, clients.sns),
    buckets: await createBuckets(template, resolver, clients.s3),
    tables: await createTables(template, resolver, clients.dynamodb),
  }
}

/** The SES emulator accepts any configuration set, so only the names are registered. */
function registerConfigurationSets(template: Template, resolver: Resolver): void {
  for (const [id, { Name }] of resourcesOfType(template, 'AWS::SES::ConfigurationSet'))
    resolver.register(id, { Ref: Name === undefined ? id : resolver.string(Name) })
}

/** Generates each value once: with a state directory, an earlier start may have done so. */
function createSecrets(template: Template, resolver: Resolver, secrets: CreatedSecrets): void {
  for (const [id, { GenerateSecretString }] of resourcesOfType(template, 'AWS::SecretsManager::Secret')) {
    if (GenerateSecretString === undefined) continue
    const arn = `arn:aws:secretsmanager:${region}:${accountId}:secret:${id}-local1`
    secrets.create(arn, randomBytes(32).toString('hex'))
    resolver.register(id, { Ref: arn })
  }
}

/** The properties that are also queue attributes, with the same name. Other properties are left out. */
const QueueAttributes = z
  .object({
    VisibilityTimeout: z.number(),
    DelaySeconds: z.number(),
    MaximumMessageSize: z.number(),
    MessageRetentionPeriod: z.number(),
    ReceiveMessageWaitTimeSeconds: z.number(),
    RedrivePolicy: z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.number() }),
  })
  .partial()

async function createQueues(template: Template, resolver: Resolver, sqs: SQSClient): Promise<Queue[]> {
  const definitions = resourcesOfType(template, 'AWS::SQS::Queue')
  // A queue names its dead-letter queue by ARN, so all ARNs are registered before any queue is created.
  for (const [id, { QueueName }] of definitions) {
    const name = QueueName === undefined ? id : resolver.string(QueueName)
    resolver.register(id, { QueueName: name, Arn: `arn:aws:sqs:${region}:${accountId}:${name}` })
  }
  const queues: Queue[] = []
  for (const [id, properties] of definitions) queues.push(await createQueue(id, properties, resolver, sqs))
  return queues
}

async function createQueue(
  logicalId: string,
  properties: Record<string, unknown>,
  resolver: Resolver,
  sqs: SQSClient,
): Promise<Queue> {
  const name = resolver.string({ 'Fn::GetAtt': [logicalId, 'QueueName'] })
  const arn = resolver.string({ 'Fn::GetAtt': [logicalId, 'Arn'] })
  const names = Object.keys(QueueAttributes.shape).filter((key) => key in properties)
  const values = Object.fromEntries(names.map((key) => [key, resolver.resolve(properties[key])]))
  const attributes = Object.entries(parse(QueueAttributes, values, logicalId)).map(([key, value]) => [
    key,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ])
  const { QueueUrl: url = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: name, Attributes: Object.fromEntries(attributes) }),
  )
  resolver.register(logicalId, { Ref: url, QueueName: name, Arn: arn })
  return { logicalId, name, arn, url }
}

async function createTopics(template: Template, resolver: Resolver, sns: SNSClient): Promise<string[]> {
  const topics: string[] = []
  for (const [id, { TopicName }] of resourcesOfType(template, 'AWS::SNS::Topic')) {
    const name = TopicName === undefined ? id : resolver.string(TopicName)
    const { TopicArn: arn = '' } = await sns.send(new CreateTopicCommand({ Name: name }))
    resolver.register(id, { Ref: arn, TopicName: name, TopicArn: arn })
    topics.push(arn)
  }
  return topics
}

async function createBuckets(template: Template, resolver: Resolver, s3: S3Client): Promise<string[]> {
  const buckets: string[] = []
  for (const [id, { BucketName }] of resourcesOfType(template, 'AWS::S3::Bucket')) {
    const name = BucketName === undefined ? id.toLowerCase() : resolver.string(BucketName)
    await s3.send(new CreateBucketCommand({ Bucket: name }))
    resolver.register(id, { Ref: name, Arn: `arn:aws:s3:::${name}` })
    buckets.push(name)
  }
  return buckets
}

const KeySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }))
const Index = z.object({
  IndexName: z.string(),
  KeySchema,
  Projection: z.object({
    ProjectionType: z.enum(['ALL', 'INCLUDE', 'KEYS_ONLY']),
    NonKeyAttributes: z.array(z.string()).optional(),
  }),
})

/** The properties that the emulator needs. Encryption, recovery and expiry are left out. */
const TableProperties = z.object({
  AttributeDefinitions: z.array(
    z.object({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) }),
  ),
  KeySchema,
  BillingMode: z.literal('PAY_PER_REQUEST'),
  GlobalSecondaryIndexes: z.array(Index).optional(),
  LocalSecondaryIndexes: z.array(Index).optional(),
})

async function createTables(
  template: Template,
  resolver: Resolver,
  dynamodb: DynamoDBClient,
): Promise<Record<string, string>> {
  const { TableNames: existingTables = [] } = await dynamodb.send(new ListTablesCommand({}))
  const tables: Record<string, string> = {}
  for (const [id, properties] of resourcesOfType(template, 'AWS::DynamoDB::Table')) {
    const name = properties.TableName === undefined ? id : resolver.string(properties.TableName)
    const input = parse(TableProperties, resolver.resolve(properties), id)
    if (!existingTables.includes(name))
      await dynamodb.send(new CreateTableCommand({ TableName: name, ...input } as CreateTableCommandInput))
    resolver.register(id, { Ref: name, Arn: `arn:aws:dynamodb:${region}:${accountId}:table/${name}` })
    tables[id] = name
  }
  return tables
}
