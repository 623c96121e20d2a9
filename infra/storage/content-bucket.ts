import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import type { Unit } from '../unit.ts'

const wholeBucket =
  'A key holds a ULID made when the message arrives, so only all keys of this one bucket can be named.'

/**
 * The octets of messages on their way. Nothing here outlives its retention, and nothing is versioned: an object
 * is written once under a new key, never changed, and an old version would only be mail kept past its time.
 */
export class ContentBucket extends Construct {
  readonly bucket: Bucket

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    this.bucket = new Bucket(this, 'Bucket', {
      ...this.encryption(config),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: false,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        { expiration: Duration.days(config.contentRetentionDays) },
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    })
    acknowledge(
      this.bucket,
      'Four units of this stack read and write here, and each logs what it does; an audit of object access is the account’s CloudTrail data events.',
      'S1',
    )
  }

  /** Lets the unit store messages, and tells it where. */
  grantWrite(unit: Unit): void {
    this.grant(unit, 's3:PutObject')
    this.bucket.encryptionKey?.grant(unit, 'kms:GenerateDataKey')
  }

  /** Lets the unit store messages that are too large for one request, too. */
  grantUpload(unit: Unit): void {
    this.grantWrite(unit)
    this.grant(unit, 's3:AbortMultipartUpload')
    // S3 decrypts the parts under the caller's name when it puts them together.
    this.bucket.encryptionKey?.grant(unit, 'kms:Decrypt')
  }

  /** Lets the unit read messages, and tells it where. */
  grantRead(unit: Unit): void {
    this.grant(unit, 's3:GetObject')
    this.bucket.encryptionKey?.grant(unit, 'kms:Decrypt')
  }

  private grant(unit: Unit, ...actions: string[]): void {
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions, resources: [this.bucket.arnForObjects('*')] }),
    )
    acknowledge(unit.permissions, wholeBucket, `IAM5[Resource::<${this.logicalId}.Arn>/*]`)
    unit.addEnvironment('CONTENT_BUCKET', this.bucket.bucketName)
  }

  private get logicalId(): string {
    return Stack.of(this).getLogicalId(this.bucket.node.defaultChild as CfnBucket)
  }

  private encryption(config: Config) {
    if (config.contentEncryption === 'S3Managed') return { encryption: BucketEncryption.S3_MANAGED }
    const encryptionKey = new Key(this, 'Key', {
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    return { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }
  }
}
