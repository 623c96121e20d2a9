import { Duration, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { BlockPublicAccess, Bucket, type CfnBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { grantKeyUse } from '../encryption-key.ts'
import type { Unit } from '../unit.ts'
import { bucketEncryption } from './bucket-encryption.ts'
import { retained } from './retained.ts'

const allObjectsReason =
  'A key holds a ULID made when the message arrives, so only all keys of this one bucket can be named.'

const ulidPattern = '?'.repeat(26)

/** Patterns of whole keys (shared/content/content-key.ts), and of those of version 0.2 without the digits of a hash. */
const contentKeyPatterns = ['??/', ''].flatMap((hash) => [
  `segments/${hash}${ulidPattern}`,
  `messages/${hash}${ulidPattern}`,
  `reports/${hash}${ulidPattern}`,
  `dsn/${hash}${ulidPattern}-${'?'.repeat(16)}`,
])

/**
 * The content of messages in transit. An object is written once under a new key and never changed. It is not
 * versioned: an old version would keep mail beyond its retention.
 */
export class ContentBucket extends Construct {
  readonly bucket: Bucket
  private readonly config: Config

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.config = config
    this.bucket = new Bucket(this, 'Bucket', {
      ...bucketEncryption(this, config),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: false,
      removalPolicy: retained,
      lifecycleRules: [
        { expiration: Duration.days(config.contentRetentionDays) },
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    })
    acknowledge(
      this.bucket,
      'Four units of this stack use the bucket, and each logs its calls. To audit object access, use CloudTrail data events.',
      'S1',
    )
  }

  /** Lets the unit store messages. */
  grantWrite(unit: Unit): void {
    this.grant(unit, 's3:PutObject')
    grantKeyUse(unit, this.config, 's3', 'GenerateDataKey')
  }

  /** Lets the unit store messages, also those that are too large for one request. */
  grantUpload(unit: Unit): void {
    this.grantWrite(unit)
    this.grant(unit, 's3:AbortMultipartUpload')
    // S3 decrypts the parts with the caller's permissions when it completes the upload.
    grantKeyUse(unit, this.config, 's3', 'Decrypt')
  }

  /**
   * Lets the unit read messages, and learn that a message was deleted: S3 answers `NoSuchKey` only to a role that may
   * list the key, and `AccessDenied` to others. The condition admits whole keys only, so that the unit cannot list the
   * keys that it does not know.
   */
  grantRead(unit: Unit): void {
    this.grant(unit, 's3:GetObject')
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [this.bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': contentKeyPatterns } },
      }),
    )
    grantKeyUse(unit, this.config, 's3', 'Decrypt')
  }

  private grant(unit: Unit, ...actions: string[]): void {
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions, resources: [this.bucket.arnForObjects('*')] }),
    )
    acknowledge(unit.permissions, allObjectsReason, `IAM5[Resource::<${this.logicalId}.Arn>/*]`)
    unit.addEnvironment('CONTENT_BUCKET', this.bucket.bucketName)
  }

  private get logicalId(): string {
    return Stack.of(this).getLogicalId(this.bucket.node.defaultChild as CfnBucket)
  }
}
