import { CfnOutput, Duration, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { BlockPublicAccess, Bucket, type CfnBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { grantKeyUse } from '../encryption-key.ts'
import type { Unit } from '../unit.ts'
import { bucketEncryption } from './bucket-encryption.ts'
import { retained } from './retained.ts'

/** The first part of each key. */
type Prefix = 'raw' | 'ids' | 'parquet' | 'rollups' | 'seals'

/** Days in which an hour can still be sealed. */
const rawDays = 7
/** Seals compare with the ids of the last 49 hours. */
const idsDays = 4

/**
 * What happened to mail and to the configuration: raw events, and the Parquet files and rollups of sealed hours. The
 * bucket is not versioned: an old version would keep events beyond their retention.
 */
export class EventsBucket extends Construct {
  readonly bucket: Bucket
  private readonly config: Config

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.config = config
    const expire = (prefix: Prefix, days: number) => ({
      id: prefix,
      prefix: `${prefix}/`,
      expiration: Duration.days(days),
    })
    this.bucket = new Bucket(this, 'Bucket', {
      ...bucketEncryption(this, config),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: false,
      removalPolicy: retained,
      lifecycleRules: [
        expire('raw', rawDays),
        expire('ids', idsDays),
        expire('parquet', config.eventRetentionDays),
        expire('rollups', config.eventRetentionDays),
        expire('seals', config.eventRetentionDays),
      ],
    })
    acknowledge(
      this.bucket,
      'Two units of this stack write to the bucket, and each logs its calls. To audit object access, use CloudTrail data events.',
      'S1',
    )
    const description = 'Parquet files of events, for Athena and other programs'
    new CfnOutput(this, 'Output', { value: this.bucket.bucketName, description }).overrideLogicalId(
      'EventsBucket',
    )
  }

  /** Lets the unit store raw events. */
  grantRecording(unit: Unit): void {
    this.grant(unit, 's3:PutObject', 'raw')
    grantKeyUse(unit, this.config, 's3', 'GenerateDataKey')
  }

  /** Lets the unit read raw events, and write and read what a seal makes of them. */
  grantSealing(unit: Unit): void {
    this.grant(unit, 's3:GetObject', 'raw', 'ids', 'parquet')
    this.grant(unit, 's3:PutObject', 'ids', 'parquet', 'rollups', 'seals')
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [this.bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': ['raw/*', 'ids/*', 'parquet/*', 'seals/*'] } },
      }),
    )
    grantKeyUse(unit, this.config, 's3', 'GenerateDataKey', 'Decrypt')
  }

  private grant(unit: Unit, action: string, ...prefixes: readonly Prefix[]): void {
    const resources = prefixes.map((prefix) => this.bucket.arnForObjects(`${prefix}/*`))
    unit.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: [action], resources }))
    acknowledge(
      unit.permissions,
      'Keys hold the hour of their events, so only all keys of a prefix can be named.',
      ...prefixes.map((prefix) => `IAM5[Resource::<${this.logicalId}.Arn>/${prefix}/*]`),
    )
    unit.addEnvironment('EVENTS_BUCKET', this.bucket.bucketName)
  }

  private get logicalId(): string {
    return Stack.of(this).getLogicalId(this.bucket.node.defaultChild as CfnBucket)
  }
}
